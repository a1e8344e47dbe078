'use strict';
// The server of 05 without a line about clustering: forking, sharing the port and replacing who
// died is the manager's business.

const http = require('node:http');

http.createServer((request, response) => {
  response.on('close', () => process.exit(1)); // imitates a failure
  response.setHeader('Connection', 'close');
  response.end(`Hello World from pid ${process.pid}\n`);
}).listen(process.env.PORT || 3000, () => {
  console.log(`worker ${process.pid}: started`);
});
