'use strict';
// A web server on every core, all on one port.

const cluster = require('node:cluster');
const http = require('node:http');
const os = require('node:os');

if (cluster.isPrimary) {
  console.log(`primary: my pid is ${process.pid}`);
  for (let i = 0; i < os.availableParallelism(); i += 1) {
    cluster.fork();
  }
} else {
  http.createServer((request, response) => {
    response.end(`Hello World from pid ${process.pid}\n`);
  }).listen(process.env.PORT || 3000, () => {
    console.log(`worker ${process.pid}: started`);
  });
}
