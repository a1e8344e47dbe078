//! A cluster over real Node workers that run a script of the test, and all that it told.
#![allow(dead_code, reason = "each file uses some of it")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;
use tine_cluster::{Cluster, Event, Events, ExitStatus, ListeningAddress, Setup, WorkerProcess};
use tine_testkit::{Runtime, Script, Signal, script};

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The oldest, one in the middle, the newest: for what does not differ between versions.
pub(crate) const SOME: [Runtime; 3] = [Runtime::Node18, Runtime::Node22, Runtime::Node26];

/// Workers that do nothing.
pub(crate) const IDLE: &str = "";

/// Workers with a server.
pub(crate) const SERVER: &str = "require('http').createServer().listen(0, '127.0.0.1');";

/// A cluster, its events, and its script. Its workers end with it.
pub(crate) struct Run {
    pub(crate) cluster: Cluster,
    events: Events,
    /// What it has told so far.
    pub(crate) seen: Vec<Event>,
    node: Runtime,
    script: Script,
}

impl Run {
    /// A cluster whose workers run this script.
    pub(crate) fn start(node: Runtime, text: &str) -> Self {
        Self::with(node, text, |_| ())
    }

    /// The same, with other settings than Node's own.
    pub(crate) fn with(node: Runtime, text: &str, change: impl FnOnce(&mut Setup)) -> Self {
        let script = script("worker.js", text);
        let mut setup = Cluster::builder();
        setup
            .exec(script.as_ref())
            .exec_path(node.path())
            .args([""; 0])
            .env_remove("NODE_OPTIONS");
        change(&mut setup);
        let (cluster, events) = setup.start().unwrap();
        Self {
            cluster,
            events,
            seen: Vec::new(),
            node,
            script,
        }
    }

    /// A cluster whose processes do not know that they are workers: what `child_process.fork`
    /// starts.
    pub(crate) fn children(node: Runtime, text: &str, change: impl FnOnce(&mut Setup)) -> Self {
        Self::with(node, text, |setup| {
            let without = ["-u".into(), "NODE_UNIQUE_ID".into(), node.path()];
            setup.exec_path("env").exec_argv(without);
            change(setup);
        })
    }

    pub(crate) fn fork(&self) -> WorkerProcess {
        self.cluster.fork().unwrap()
    }

    /// The next event, which nobody has seen.
    pub(crate) async fn next(&mut self) -> &Event {
        let known = self.seen.len();
        self.until("any event", |seen| (seen.len() > known).then_some(()))
            .await;
        &self.seen[known]
    }

    /// Waits until something is found in what has happened so far.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        mut find: impl FnMut(&[Event]) -> Option<T>,
    ) -> T {
        let end = tokio::time::Instant::now() + DEADLINE;
        loop {
            if let Some(found) = find(&self.seen) {
                return found;
            }
            match tokio::time::timeout_at(end, self.events.next()).await {
                Ok(Some(event)) => self.seen.push(event),
                Ok(None) => panic!("the cluster closed before {what}"),
                Err(_elapsed) => panic!("waited {DEADLINE:?} for {what}"),
            }
        }
    }

    pub(crate) async fn online(&mut self, who: &WorkerProcess) {
        self.until(&format!("online {}", who.id()), |seen| {
            seen.iter()
                .any(|event| matches!(event, Event::Online(worker) if worker == who))
                .then_some(())
        })
        .await;
    }

    /// Where the first server of the worker listens.
    pub(crate) async fn listening(&mut self, who: &WorkerProcess) -> SocketAddr {
        self.until(&format!("listening {}", who.id()), |seen| {
            seen.iter().find_map(|event| match event {
                Event::Listening {
                    worker,
                    address: ListeningAddress::Tcp(address) | ListeningAddress::Udp(address),
                } if worker == who => Some(*address),
                _ => None,
            })
        })
        .await
    }

    /// The first `count` messages of the worker, as JSON.
    pub(crate) async fn messages(&mut self, who: &WorkerProcess, count: usize) -> Vec<String> {
        self.until(&format!("{count} messages of {}", who.id()), |seen| {
            let all = all_messages(seen, who);
            (all.len() >= count).then_some(all)
        })
        .await
    }

    /// The first message of the worker, as JSON.
    pub(crate) async fn message(&mut self, who: &WorkerProcess) -> String {
        self.messages(who, 1).await.swap_remove(0)
    }

    /// What was wrong with the worker's channel when it closed.
    pub(crate) async fn disconnect(&mut self, who: &WorkerProcess) -> Option<String> {
        self.until(&format!("disconnect {}", who.id()), |seen| {
            seen.iter().find_map(|event| match event {
                Event::Disconnect { worker, error } if worker == who => Some(error.clone()),
                _ => None,
            })
        })
        .await
    }

    /// How the worker ended, and whether it left because one side asked for it.
    pub(crate) async fn exit(&mut self, who: &WorkerProcess) -> (ExitStatus, bool) {
        self.until(&format!("exit {}", who.id()), |seen| {
            seen.iter().find_map(|event| match event {
                Event::Exit {
                    worker,
                    status,
                    exited_after_disconnect,
                } if worker == who => Some((*status, *exited_after_disconnect)),
                _ => None,
            })
        })
        .await
    }

    /// What has happened so far, in words.
    pub(crate) fn names(&self) -> Vec<String> {
        self.seen.iter().map(name).collect()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let names = self.names();
            eprintln!("with {:?}, after: {names:#?}", self.node);
        }
        for worker in self.cluster.workers() {
            let _ = worker.kill(Signal::KILL);
        }
    }
}

/// All messages of a worker, as JSON.
pub(crate) fn all_messages(seen: &[Event], who: &WorkerProcess) -> Vec<String> {
    let messages = seen.iter().filter_map(|event| match event {
        Event::Message { worker, message } if worker == who => Some(message),
        _ => None,
    });
    messages
        .map(|message| message.body().to_json().unwrap())
        .collect()
}

fn name(event: &Event) -> String {
    match event {
        Event::Setup(_) => "setup".into(),
        Event::Fork(worker) => format!("fork {}", worker.id()),
        Event::Online(worker) => format!("online {}", worker.id()),
        Event::Listening { worker, address } => format!("listening {} {address}", worker.id()),
        Event::Message { worker, message } => {
            format!(
                "message {} {}",
                worker.id(),
                message.body().to_json().unwrap()
            )
        }
        Event::Disconnect { worker, error } => format!("disconnect {} {error:?}", worker.id()),
        Event::Exit {
            worker,
            status,
            exited_after_disconnect,
        } => format!("exit {} {status} {exited_after_disconnect}", worker.id()),
        other => format!("{other:?}"),
    }
}

/// The end of a process by a signal.
pub(crate) fn killed(signal: Signal) -> ExitStatus {
    ExitStatus::Signal {
        signal: signal.as_raw(),
        core_dumped: false,
    }
}

/// Does what blocks, while the cluster goes on.
pub(crate) async fn aside<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(act).await.unwrap()
}

/// A connection to a port of this machine, that does not wait for ever.
pub(crate) async fn connect(port: u16) -> TcpStream {
    aside(move || {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream
    })
    .await
}

/// Says something, and reads as many bytes.
pub(crate) async fn ask(mut stream: &TcpStream, text: &str, length: usize) -> String {
    let mut answer = vec![0; length];
    let mut reader = stream.try_clone().unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    aside(move || {
        reader.read_exact(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    })
    .await
}

/// Everything that comes from somewhere until its end.
pub(crate) async fn rest(mut from: impl std::io::Read + Send + 'static) -> String {
    aside(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    })
    .await
}

/// Everything that comes out of a worker's stream until its end.
pub(crate) async fn output(pipe: tokio::net::unix::pipe::Receiver) -> String {
    rest(std::fs::File::from(pipe.into_blocking_fd().unwrap())).await
}
