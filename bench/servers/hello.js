// The application of every contender: plain http, one small answer, the answering process in a header.
//
// PORT        where to listen on 127.0.0.1
// LISTEN_FD   or: an inherited listening socket
// HEAVY       EVERY:MS, every EVERYth request of a process keeps its event loop busy for MS milliseconds
// READY_DIR   a file named after this pid appears there once the server listens
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const { PORT, LISTEN_FD, READY_DIR, HEAVY } = process.env;
const [every, milliseconds] = (HEAVY || '0:0').split(':').map(Number);
const pid = String(process.pid);

let count = 0;
const server = http.createServer((request, response) => {
  if (every > 0 && ++count % every === 0) {
    const end = performance.now() + milliseconds;
    while (performance.now() < end);
  }
  response.setHeader('Content-Type', 'text/plain');
  response.setHeader('X-Pid', pid);
  response.end('hello world\n');
});

const where = LISTEN_FD ? { fd: Number(LISTEN_FD) } : { host: '127.0.0.1', port: Number(PORT) };
server.listen(where, () => {
  if (READY_DIR) fs.writeFileSync(path.join(READY_DIR, pid), '');
});
