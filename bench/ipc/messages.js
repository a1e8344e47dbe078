// The messages of `cargo xtask bench ipc`, and the fastest way that keeps memory bounded to send many of
// them from Node: 64 at a time, the next ones when the last of these has been written.
'use strict';

// Numbers begin here so that all of a run have as many digits.
const FIRST = 1000000;
const AT_ONCE = 64;

const message = (n, pad) => ({ n, pad });

// JSON text and line end together are `bytes` long.
const padding = (bytes) => 'x'.repeat(bytes - 1 - JSON.stringify(message(FIRST, '')).length);

function sendMany(send, count, bytes) {
  const pad = padding(bytes);
  let sent = 0;
  const more = () => {
    const until = Math.min(sent + AT_ONCE, count);
    while (sent < until - 1) send(message(FIRST + sent++, pad));
    send(message(FIRST + sent++, pad), sent < count ? more : undefined);
  };
  more();
}

module.exports = { FIRST, message, padding, sendMany };
