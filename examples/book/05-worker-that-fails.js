'use strict';
// The hard part: workers die. This one does after every response; its primary replaces it.

const cluster = require('node:cluster');
const http = require('node:http');
const os = require('node:os');

if (cluster.isPrimary) {
  console.log(`primary: my pid is ${process.pid}`);
  cluster.on('exit', (worker, code, signal) => {
    console.log(`primary: worker ${worker.process.pid} died (${signal ?? code}), forking another`);
    cluster.fork();
  });
  for (let i = 0; i < os.availableParallelism(); i += 1) {
    cluster.fork();
  }
} else {
  http.createServer((request, response) => {
    response.on('close', () => process.exit(1)); // imitates a failure
    response.setHeader('Connection', 'close');
    response.end(`Hello World from pid ${process.pid}\n`);
  }).listen(process.env.PORT || 3000, () => {
    console.log(`worker ${process.pid}: started`);
  });
}
