//! A server in a thread, with everything that is asked in the hands of the test.
#![allow(dead_code, reason = "not every test does everything")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tine_control::Request;
use tine_control::client::Client;
use tine_control::reply::Pong;
use tine_control::server::{Asked, Ending, Events, Rules, listen, serve};

/// Nothing in these tests takes this long unless it is broken.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) path: PathBuf,
    pub(crate) events: Events,
    asked: Mutex<mpsc::Receiver<Asked>>,
    pub(crate) ending: Ending,
    pub(crate) handle: tokio::runtime::Handle,
    server: Option<JoinHandle<std::io::Result<()>>>,
    _folder: TempDir,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(Rules::of_this_process("0.1.0"))
    }

    /// `ping` is answered at once; all else is for the test to answer.
    pub(crate) fn with(rules: Rules) -> World {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("home").join("control.sock");
        let listener = listen(&path).unwrap();
        let events = Events::new(100);
        let ending = Ending::default();
        let (ask, asked) = mpsc::channel();
        let (tell_handle, handle) = mpsc::channel();
        let server = std::thread::spawn({
            let (events, ending) = (events.clone(), ending.clone());
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                tell_handle.send(runtime.handle().clone()).unwrap();
                runtime.block_on(async {
                    let listener = tokio::net::UnixListener::from_std(listener).unwrap();
                    let handler = move |asked: Asked| match asked.request {
                        Request::Ping(_) => asked.reply.finish(Ok(Pong { pid: 7 })),
                        _ => {
                            // The test may have ended already.
                            let _ = ask.send(asked);
                        }
                    };
                    serve(listener, rules, events, handler, &ending).await
                })
            }
        });
        World {
            path,
            events,
            asked: Mutex::new(asked),
            ending,
            handle: handle.recv_timeout(DEADLINE).unwrap(),
            server: Some(server),
            _folder: folder,
        }
    }

    pub(crate) fn client(&self) -> Client {
        let mut client = Client::connect(&self.path, DEADLINE).unwrap();
        client.set_limit(Some(DEADLINE));
        client
    }

    pub(crate) fn raw(&self) -> Raw {
        Raw::connect(&self.path)
    }

    pub(crate) fn next_asked(&self) -> Asked {
        self.asked.lock().unwrap().recv_timeout(DEADLINE).unwrap()
    }

    /// Waits in the server's own time.
    pub(crate) fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.handle
            .block_on(async { tokio::time::timeout(DEADLINE, what).await })
            .expect("nothing happened in time")
    }

    /// Ends the server and sees that it ended well.
    pub(crate) fn end(&mut self) {
        self.ending.end();
        let server = self.server.take().unwrap();
        let until = Instant::now() + DEADLINE;
        while !server.is_finished() {
            assert!(Instant::now() < until, "the server does not end");
            std::thread::yield_now();
        }
        server.join().unwrap().unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.ending.end();
    }
}

/// A client that sends what it likes.
pub(crate) struct Raw {
    pub(crate) reader: BufReader<UnixStream>,
}

impl Raw {
    pub(crate) fn connect(path: &Path) -> Raw {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Raw {
            reader: BufReader::new(stream),
        }
    }

    pub(crate) fn stream(&self) -> &UnixStream {
        self.reader.get_ref()
    }

    pub(crate) fn send(&self, text: &str) {
        self.stream().write_all(text.as_bytes()).unwrap();
    }

    /// The next line without its newline; empty at the end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn json(&mut self) -> serde_json::Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    pub(crate) fn is_at_end(&mut self) -> bool {
        self.line().is_empty()
    }
}
