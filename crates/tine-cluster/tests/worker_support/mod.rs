//! Node primaries over workers that are examples of this crate.
#![allow(clippy::disallowed_methods, reason = "a test starts Node")]

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tine_testkit::{Program, Runtime, Script, script};

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// What every script may use.
const PRELUDE: &str = r#"'use strict';
const assert = require('assert'), cluster = require('cluster'), net = require('net'), dgram = require('dgram'), fs = require('fs');
const none = process.env.POLICY === 'none', advanced = process.env.SERIALIZATION === 'advanced';
cluster.schedulingPolicy = none ? cluster.SCHED_NONE : cluster.SCHED_RR;
process.execPath = process.env.WORKER;
const event = (from, name) => new Promise((resolve) => from.once(name, resolve));
const listening = (server, ...where) => new Promise((resolve, reject) => {
  server.once('error', reject);
  server.listen(...where, resolve);
});
const read = (socket) => new Promise((resolve, reject) => {
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (part) => text += part).on('end', () => resolve(text)).on('error', reject);
});
const freePort = async () => {
  const server = net.createServer();
  await listening(server, 0);
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
};
// What is sent may be lost: it is sent again until there is an answer.
const datagram = (port) => new Promise((resolve) => {
  const socket = dgram.createSocket('udp4');
  const again = setInterval(() => socket.send('?', port, '127.0.0.1'), 50);
  socket.send('?', port, '127.0.0.1');
  socket.once('message', (answer) => { clearInterval(again); socket.close(); resolve(String(answer)); });
});
let output = '', outputNews = () => {};
const said = async (pattern) => {
  while (!pattern.test(output)) await new Promise((resolve) => outputNews = resolve);
};
class Peer {
  constructor(args = [], env = {}) {
    cluster.setupPrimary({ exec: 'none', args, execArgv: [], silent: true, serialization: process.env.SERIALIZATION });
    this.worker = cluster.fork(env);
    this.came = []; this.wanted = [];
    this.online = event(this.worker, 'online');
    this.exit = new Promise((resolve) => this.worker.once('exit', (code, signal) => resolve({ code, signal })));
    this.worker.on('message', (...message) => {
      const wanted = this.wanted.shift();
      if (wanted) wanted(message); else this.came.push(message);
    });
    this.worker.process.stdout.on('data', (text) => { output += text; outputNews(); });
    this.worker.process.stderr.pipe(process.stderr);
  }
  next() {
    return this.came.length ? Promise.resolve(this.came.shift()) : new Promise((resolve) => this.wanted.push(resolve));
  }
  async message() { return (await this.next())[0]; }
  async ask(message, handle) { this.worker.send(message, handle); return this.message(); }
}
// Each of two workers serves when it has to, whoever is quicker.
const bothServe = async (peers, connect) => {
  const seen = new Set();
  if (!none) {
    for (let n = 0; n < 20 && seen.size < 2; n++) seen.add(await read(connect()));
  } else {
    for (const [other, name] of [[peers[1], 'worker 1'], [peers[0], 'worker 2']]) {
      const { pid } = other.worker.process;
      process.kill(pid, 'SIGSTOP');
      while (!/\) T /.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'))) await new Promise(setImmediate);
      assert.strictEqual(await read(connect()), name);
      seen.add(name);
      process.kill(pid, 'SIGCONT');
    }
  }
  assert.deepStrictEqual([...seen].sort(), ['worker 1', 'worker 2']);
};
const end = (code) => { process.removeAllListeners('exit'); process.exit(code); };
process.on('exit', (code) => { if (code === 0) console.error('it came to no end'); process.exitCode = 1; });
"#;

/// One kind of primary.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) node: Runtime,
    pub(crate) policy: &'static str,
    pub(crate) serialization: &'static str,
    /// The example that its workers run.
    pub(crate) worker: &'static str,
}

impl Setting {
    pub(crate) fn all(worker: &'static str, serializations: &[&'static str]) -> Vec<Self> {
        let mut all = Vec::new();
        for node in Runtime::NODES {
            for policy in ["rr", "none"] {
                for &serialization in serializations {
                    all.push(Self {
                        node,
                        policy,
                        serialization,
                        worker,
                    });
                }
            }
        }
        all
    }
}

/// A worker program, which `cargo test` without `--test` builds beside the tests.
fn example(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let path = path.join("examples").join(name);
    let hint = format!("hint: cargo build --package tine-cluster --example {name}");
    assert!(path.exists(), "{} is not built\n{hint}", path.display());
    path
}

/// Starts a primary that runs `body` after the prelude.
pub(crate) fn start(setting: &Setting, body: &str) -> Started {
    let text = format!(
        "{PRELUDE}(async () => {{ {body} }})().then(() => end(0), (error) => {{ console.error(error); end(1); }});"
    );
    let script = script("primary.js", &text);
    let mut command = Command::new(setting.node.path());
    command
        .arg(script.as_ref())
        .env("POLICY", setting.policy)
        .env("SERIALIZATION", setting.serialization)
        .env("WORKER", example(setting.worker))
        .env_remove("NODE_OPTIONS");
    let program = Program::start(&format!("{setting:?}"), command);
    Started {
        program,
        _script: script,
    }
}

/// A running primary, with its script.
pub(crate) struct Started {
    program: Program,
    _script: Script,
}

impl std::ops::Deref for Started {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

/// Runs `body` to its end in a primary.
#[track_caller]
pub(crate) fn run(setting: &Setting, body: &str) {
    let primary = start(setting, body);
    let status = primary.wait_exit(DEADLINE);
    assert_eq!(status.code(), Some(0), "under {setting:?}");
}
