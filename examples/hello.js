'use strict';
// A plain web server that knows nothing of clustering: one page, which says who answered.

const http = require('node:http');

const who = `worker ${process.env.NODE_APP_INSTANCE ?? '-'} (pid ${process.pid})`;

http.createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain');
  response.end(`Hello World from ${who}\n`);
}).listen(process.env.PORT || 3000);
