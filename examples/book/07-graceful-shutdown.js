'use strict';
// Shutting down without cutting anybody off: stop accepting, finish what is in flight, clean up,
// exit. If that takes longer than 5 seconds, exit all the same.

const express = require('express');

const app = express();

app.get(['/hello', '/hello/:name'], (request, response) => {
  response.type('text').send(`Hello ${request.params.name ?? 'World '}!!!`);
});

const server = app.listen(process.env.PORT || 3000, (error) => {
  if (error) throw error; // Express 5 tells listen errors here
  console.log(`worker ${process.pid}: started`);
});

function cleanUp(done) {
  // Here a real program closes its database and files.
  setImmediate(done);
}

process.once('SIGINT', () => {
  console.log(`worker ${process.pid}: shutting down`);
  setTimeout(() => {
    console.error(`worker ${process.pid}: not finished after 5 s, giving up`);
    process.exit(1);
  }, 5000).unref();
  server.close(() => cleanUp(() => process.exit(0)));
  // Node 18 leaves idle keep-alive connections open here, which would hold close() back.
  server.closeIdleConnections?.();
});
