'use strict';
// Primary and workers talk: an object each way for every worker. Ctrl-C ends it.

const cluster = require('node:cluster');
const os = require('node:os');

if (cluster.isPrimary) {
  console.log(`primary: my pid is ${process.pid}`);
  const workers = [];
  for (let i = 1; i <= os.availableParallelism(); i += 1) {
    workers.push(cluster.fork());
  }
  for (const worker of workers) {
    worker.on('message', (message) => {
      console.log(`primary: worker ${worker.process.pid} sent ${JSON.stringify(message)}`);
    });
    worker.send({ text: `hello, worker ${worker.process.pid}`, from: process.pid });
  }
} else {
  // Listening for messages keeps the worker alive.
  process.on('message', (message) => {
    console.log(`worker ${process.pid}: the primary sent ${JSON.stringify(message)}`);
  });
  process.send({ text: 'hello, primary', from: process.pid });
}
