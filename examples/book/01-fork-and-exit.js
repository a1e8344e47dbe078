'use strict';
// The same file is primary and worker: the primary forks one worker per core, every worker says
// who it is and exits. The primary has nothing left to do then, and exits too.

const cluster = require('node:cluster');
const os = require('node:os');

if (cluster.isPrimary) {
  console.log(`primary: my pid is ${process.pid}`);
  for (let i = 1; i <= os.availableParallelism(); i += 1) {
    console.log(`primary: forking process number ${i}`);
    cluster.fork();
  }
} else {
  console.log(`worker: my pid is ${process.pid}, and I am done`);
  process.exit();
}
