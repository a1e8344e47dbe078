//! A cluster of real Node workers, asked step by step; everything waits with a deadline.
#![allow(dead_code, reason = "not every test file needs all of it")]

use serde_json::Value;
use std::collections::VecDeque;
use std::time::Duration;
use tine_cluster::{
    Cluster, Event, Events, ExitStatus, Handle, ListeningAddress, Policy, Setup, WorkerId,
    WorkerProcess,
};
use tine_testkit::{Runtime, Script, script};

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The oldest, a middle one and the newest: where the versions do the same on the wire.
pub(crate) const SOME: [Runtime; 3] = [Runtime::Node18, Runtime::Node22, Runtime::Node26];
/// Those that can refuse every connection, drop one, and share a port by `reusePort`.
pub(crate) const SINCE_22: [Runtime; 3] = [Runtime::Node22, Runtime::Node24, Runtime::Node26];
/// Those that take a `net.Server` without asking their primary.
pub(crate) const SINCE_20: [Runtime; 4] = [
    Runtime::Node20,
    Runtime::Node22,
    Runtime::Node24,
    Runtime::Node26,
];
/// What Node has: `SCHED_RR` and `SCHED_NONE`.
pub(crate) const BOTH: [Policy; 2] = [Policy::RoundRobin, Policy::Shared];
/// Those of Node, and sockets of their own for all.
pub(crate) const THREE: [Policy; 3] = [Policy::RoundRobin, Policy::Shared, Policy::Kernel];

/// What every worker script begins with. One that throws has another exit code than 0.
const PRELUDE: &str = r"'use strict';
const assert = require('assert'), cluster = require('cluster'), dgram = require('dgram'),
    fs = require('fs'), http = require('http'), net = require('net'), path = require('path');
const env = process.env;
const say = (message, handle) => process.send(message, handle);
const never = (what) => () => { throw new Error('not to be called: ' + what); };
";

/// A cluster whose workers run one script.
pub(crate) struct Run {
    pub(crate) cluster: Cluster,
    events: Events,
    script: Script,
    what: String,
    seen: Vec<String>,
    /// Not what was waited for until now.
    left: VecDeque<Event>,
}

/// Starts a cluster without workers.
pub(crate) fn start(node: Runtime, text: &str, set: impl FnOnce(&mut Setup)) -> Run {
    let script = script("worker.js", &format!("{PRELUDE}{text}"));
    let mut setup = Cluster::builder();
    setup
        .exec(script.as_ref())
        .exec_path(node.path())
        .args::<[&str; 0]>([])
        .env_remove("NODE_OPTIONS")
        .env("NODE_NO_WARNINGS", "1");
    set(&mut setup);
    let (cluster, events) = setup.start().unwrap();
    Run {
        what: format!("{node:?} {}", cluster.policy()),
        cluster,
        events,
        script,
        seen: Vec::new(),
        left: VecDeque::new(),
    }
}

/// As [`start`], with processes that do not know that they are workers: what `child_process.fork`
/// starts.
pub(crate) fn start_children(node: Runtime, text: &str, set: impl FnOnce(&mut Setup)) -> Run {
    start(node, text, |setup| {
        let without = ["-u".into(), "NODE_UNIQUE_ID".into(), node.path()];
        setup.exec_path("env").exec_argv(without);
        set(setup);
    })
}

impl Run {
    pub(crate) fn fork(&self) -> WorkerProcess {
        self.cluster.fork().unwrap()
    }

    /// Starts a worker with one more variable.
    pub(crate) fn fork_with(&self, name: &str, value: &str) -> WorkerProcess {
        self.cluster.fork_with_env([(name, value)]).unwrap()
    }

    /// The folder of the script, empty otherwise.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.script.folder()
    }

    pub(crate) async fn next(&mut self) -> Event {
        match tokio::time::timeout(DEADLINE, self.events.next()).await {
            Ok(Some(event)) => {
                self.seen.push(name(&event));
                event
            }
            Ok(None) => panic!(
                "{}: the cluster is closed; seen: {:#?}",
                self.what, self.seen
            ),
            Err(_) => panic!(
                "{}: nothing more happens; seen: {:#?}",
                self.what, self.seen
            ),
        }
    }

    /// Waits for the event that is wanted; others are left for who waits for them. A worker's
    /// program hears that it listens before its primary does, so their order is its own.
    pub(crate) async fn until<T>(&mut self, mut wanted: impl FnMut(&mut Event) -> Option<T>) -> T {
        for at in 0..self.left.len() {
            if let Some(found) = wanted(&mut self.left[at]) {
                self.left.remove(at);
                return found;
            }
        }
        loop {
            let mut event = self.next().await;
            if let Some(found) = wanted(&mut event) {
                return found;
            }
            self.left.push_back(event);
        }
    }

    /// Where the next worker listens that comes to.
    pub(crate) async fn listening(&mut self) -> (WorkerProcess, ListeningAddress) {
        self.until(|event| match event {
            Event::Listening { worker, address } => Some((worker.clone(), address.clone())),
            _ => None,
        })
        .await
    }

    /// The port where the next worker listens.
    pub(crate) async fn port(&mut self) -> u16 {
        match self.listening().await.1 {
            ListeningAddress::Tcp(address) | ListeningAddress::Udp(address) => address.port(),
            other => panic!("{}: it listens on {other}", self.what),
        }
    }

    /// The next message, who sent it, and the socket that came with it.
    pub(crate) async fn handed(&mut self) -> (WorkerId, Value, Option<Handle>) {
        self.until(|event| match event {
            Event::Message { worker, message } => {
                Some((worker.id(), message.read().unwrap(), message.take_handle()))
            }
            _ => None,
        })
        .await
    }

    /// The next message.
    pub(crate) async fn said(&mut self) -> Value {
        self.handed().await.1
    }

    /// Why the next worker cannot listen that may not.
    pub(crate) async fn refused(&mut self) -> std::io::ErrorKind {
        self.until(|event| match event {
            Event::ListenFailed { error, .. } => Some(error.kind()),
            _ => None,
        })
        .await
    }

    /// Waits until this many more workers have ended, all by themselves and with code 0. All
    /// messages that nobody has waited for.
    pub(crate) async fn all_end_well(&mut self, workers: usize) -> Vec<Value> {
        let mut messages = Vec::new();
        let mut left = workers;
        while left > 0 {
            let event = match self.left.pop_front() {
                Some(event) => event,
                None => self.next().await,
            };
            match event {
                Event::Exit { worker, status, .. } => {
                    assert_eq!(
                        status,
                        ExitStatus::Code(0),
                        "{}, worker {}; seen: {:#?}",
                        self.what,
                        worker.id(),
                        self.seen
                    );
                    left -= 1;
                }
                Event::Message { message, .. } => messages.push(message.read().unwrap()),
                _ => {}
            }
        }
        messages
    }

    /// How often something of this beginning has happened.
    pub(crate) fn count(&self, beginning: &str) -> usize {
        let seen = self.seen.iter();
        seen.filter(|event| event.starts_with(beginning)).count()
    }

    /// For messages of a test.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // One that does not listen to its channel would stay.
        for worker in self.cluster.workers() {
            let _ = worker.kill(rustix::process::Signal::KILL);
        }
    }
}

/// Starts blocking work, such as a client's; the cluster goes on meanwhile.
pub(crate) fn meanwhile<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = T> {
    let done = tokio::task::spawn_blocking(work);
    async {
        let done = tokio::time::timeout(DEADLINE, done).await;
        done.expect("the client to end in time").unwrap()
    }
}

fn name(event: &Event) -> String {
    match event {
        Event::Setup(_) => "setup".into(),
        Event::Fork(worker) => format!("fork {}", worker.id()),
        Event::Online(worker) => format!("online {}", worker.id()),
        Event::Listening { worker, address } => format!("listening {} {address}", worker.id()),
        Event::Message { worker, message } => {
            let text = message.body().to_json().unwrap_or_default();
            let text: String = text.chars().take(200).collect();
            let handle = message.handle();
            format!("message {} {text} {handle:?}", worker.id())
        }
        Event::Disconnect { worker, error } => format!("disconnect {} {error:?}", worker.id()),
        Event::Exit {
            worker,
            status,
            exited_after_disconnect,
        } => format!("exit {} {status} {exited_after_disconnect}", worker.id()),
        Event::ListenFailed {
            worker,
            address,
            error,
        } => format!("listen failed {} {address} {error}", worker.id()),
        other => format!("{other:?}"),
    }
}
