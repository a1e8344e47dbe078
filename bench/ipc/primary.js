// The Node primary of `cargo xtask bench ipc`: `primary.js EXEC [EXEC_PATH]`.
//
// Says `ready PID` when its worker is online; each line `LOAD BYTES COUNT` of its input is answered with
// `done NANOSECONDS`. Ends with its input.
'use strict';
const cluster = require('node:cluster');
const readline = require('node:readline');
const { FIRST, message, padding, sendMany } = require('./messages.js');

const [exec, execPath] = process.argv.slice(2);
cluster.setupPrimary({ exec, args: [] });
if (execPath) process.execPath = execPath;
const worker = cluster.fork();

let onMessage;
worker.on('message', (m) => onMessage(m));
worker.on('exit', () => process.exit(1));

const loads = {
  'round-trips': (bytes, count, done) => {
    const pad = padding(bytes);
    let n = FIRST;
    onMessage = (m) => {
      check(m, n++, pad);
      if (n === FIRST + count) done();
      else worker.send(message(n, pad));
    };
    worker.send({ do: 'echo', count });
    worker.send(message(n, pad));
  },
  down: (bytes, count, done) => {
    onMessage = (m) => {
      if (m.done !== count) throw new Error(`the worker took ${JSON.stringify(m)} of ${count}`);
      done();
    };
    worker.send({ do: 'count', count });
    sendMany((...all) => worker.send(...all), count, bytes);
  },
  up: (bytes, count, done) => {
    const pad = padding(bytes);
    let n = FIRST;
    onMessage = (m) => {
      check(m, n++, pad);
      if (n === FIRST + count) done();
    };
    worker.send({ do: 'send', count, bytes });
  },
};

function check(m, n, pad) {
  if (m.n !== n || m.pad.length !== pad.length) throw new Error(`not message ${n}: ${m.n}`);
}

worker.on('online', () => {
  process.stdout.write(`ready ${worker.process.pid}\n`);
  const tasks = readline.createInterface({ input: process.stdin });
  tasks.on('line', (line) => {
    const [load, bytes, count] = line.split(' ');
    const started = process.hrtime.bigint();
    loads[load](Number(bytes), Number(count), () => {
      process.stdout.write(`done ${process.hrtime.bigint() - started}\n`);
    });
  });
  tasks.on('close', () => process.exit(0));
});
