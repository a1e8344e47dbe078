// The Node worker of `cargo xtask bench ipc`: does what the primary's tasks say.
//
//   {do: 'echo', count}          every message comes back
//   {do: 'count', count}         all are taken, then {done: count} is sent
//   {do: 'send', count, bytes}   so many messages are sent
'use strict';
const { message, sendMany } = require('./messages.js');

let task = null;
let taken = 0;

process.on('message', (m) => {
  if (task === null) {
    if (m.do === 'send') {
      sendMany((...all) => process.send(...all), m.count, m.bytes);
    } else {
      task = m;
      taken = 0;
    }
    return;
  }
  if (task.do === 'echo') process.send(message(m.n, m.pad));
  if (++taken < task.count) return;
  if (task.do === 'count') process.send({ done: taken });
  task = null;
});
