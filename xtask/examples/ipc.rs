//! The programs in Rust of `cargo xtask bench ipc`.
//!
//! | arguments | what it is |
//! |---|---|
//! | `primary EXEC [EXEC_PATH]` | a primary, as `bench/ipc/primary.js` |
//! | `worker` | a worker, as `bench/ipc/worker.js` |
//! | `raw` | two processes without a protocol: what the socket pair itself can do |
//!
//! With `raw` there are the same bytes in the same number of messages, and nothing else: one
//! `write` for each message, and `read` into a buffer, both blocking. A message is not looked at.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "is no part of the product")]

use std::error::Error;
use std::io::{BufRead, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tine_cluster::worker::Worker;
use tine_cluster::{Cluster, Event, Events, Message, WorkerProcess};
use tokio::runtime::Runtime;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Numbers begin here so that all of a run have as many digits.
const FIRST: u64 = 1_000_000;
/// What a raw reader of many messages reads at most, as libuv does.
const BUFFER: usize = 64 * 1024;

#[derive(Serialize, Deserialize)]
struct Ping {
    n: u64,
    pad: String,
}

#[derive(Serialize, Deserialize)]
struct Task {
    #[serde(rename = "do")]
    what: String,
    count: u64,
    #[serde(default)]
    bytes: usize,
}

#[derive(Serialize, Deserialize)]
struct Done {
    done: u64,
}

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match arguments[..] {
        ["primary", exec] => primary(&runtime, exec, None),
        ["primary", exec, exec_path] => primary(&runtime, exec, Some(exec_path)),
        // A Node primary puts its word for the script before the arguments.
        ["worker", ..] => runtime.block_on(worker()),
        ["raw"] => raw(),
        ["raw-worker"] => raw_worker(),
        _ => Err("usage: ipc primary EXEC [EXEC_PATH] | worker | raw".into()),
    }
}

/// JSON text and line end together are `bytes` long.
fn padding(bytes: usize) -> Outcome<String> {
    let n = FIRST;
    let empty = serde_json::to_string(&Ping {
        n,
        pad: String::new(),
    })?
    .len()
        + 1;
    let pad = bytes
        .checked_sub(empty)
        .ok_or("so short a message cannot be")?;
    Ok("x".repeat(pad))
}

fn check(ping: &Ping, n: u64, pad: &str) -> Outcome {
    if ping.n != n || ping.pad.len() != pad.len() {
        return Err(format!("not message {n}: {}", ping.n).into());
    }
    Ok(())
}

/// Says `ready PID`, and answers each line `LOAD BYTES COUNT` with `done NANOSECONDS`.
fn serve(pid: u32, mut run: impl FnMut(&str, usize, u64) -> Outcome) -> Outcome {
    println!("ready {pid}");
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split(' ');
        let mut word = || words.next().ok_or("a task is `LOAD BYTES COUNT`");
        let (load, bytes, count) = (word()?, word()?.parse()?, word()?.parse()?);
        let started = Instant::now();
        run(load, bytes, count)?;
        println!("done {}", started.elapsed().as_nanos());
    }
    Ok(())
}

fn primary(runtime: &Runtime, exec: &str, exec_path: Option<&str>) -> Outcome {
    let (_cluster, worker, events) = runtime.block_on(async {
        let mut setup = Cluster::builder();
        setup.exec(exec);
        match exec_path {
            Some(path) => setup.exec_path(path).args::<[&str; 0]>([]),
            None => setup.args(["worker"]),
        };
        let (cluster, events) = setup.start()?;
        let worker = cluster.fork()?;
        worker.online().await?;
        Outcome::Ok((cluster, worker, events))
    })?;
    // A task of its own, as in a server: what `block_on` itself runs costs one more system call
    // for every time it is woken.
    let mut events = Some(events);
    serve(worker.pid(), |load, bytes, count| {
        let (load, worker) = (load.to_owned(), worker.clone());
        let mut taken = events.take().ok_or("the events are lost")?;
        let ran = runtime.spawn(async move {
            let result = run(&load, bytes, count, &worker, &mut taken).await;
            (result.map_err(|error| error.to_string()), taken)
        });
        let (result, taken) = runtime.block_on(ran)?;
        events = Some(taken);
        Ok(result?)
    })
}

async fn run(
    load: &str,
    bytes: usize,
    count: u64,
    worker: &WorkerProcess,
    events: &mut Events,
) -> Outcome {
    let pad = padding(bytes)?;
    let what = match load {
        "round-trips" => "echo",
        "down" => "count",
        "up" => "send",
        _ => return Err(format!("no load is called {load:?}").into()),
    };
    let task = Task {
        what: what.to_owned(),
        count,
        bytes,
    };
    worker.send(&task).await?;
    let mut ping = Ping { n: FIRST, pad };
    for n in FIRST..FIRST + count {
        ping.n = n;
        if load != "up" {
            worker.send(&ping).await?;
        }
        if load != "down" {
            check(&message(events).await?.read()?, n, &ping.pad)?;
        }
    }
    if load == "down" {
        let Done { done } = message(events).await?.read()?;
        if done != count {
            return Err(format!("the worker took {done} of {count}").into());
        }
    }
    Ok(())
}

async fn message(events: &mut Events) -> Outcome<Message> {
    loop {
        match events.next().await {
            Some(Event::Message { message, .. }) => return Ok(message),
            Some(Event::Disconnect { error, .. }) => {
                return Err(format!("the worker has left: {error:?}").into());
            }
            Some(_) => {}
            None => return Err("the cluster is closed".into()),
        }
    }
}

async fn worker() -> Outcome {
    let worker = Worker::from_env()?.ok_or("started without a channel")?;
    let mut messages = worker.messages();
    // None: the primary is gone.
    while let Some(task) = messages.next().await {
        let task: Task = task.read()?;
        match task.what.as_str() {
            "send" => {
                let mut ping = Ping {
                    n: FIRST,
                    pad: padding(task.bytes)?,
                };
                for n in FIRST..FIRST + task.count {
                    ping.n = n;
                    worker.send(&ping).await?;
                }
            }
            what => {
                for _ in 0..task.count {
                    let ping = messages.next().await.ok_or("the primary has left")?;
                    let ping: Ping = ping.read()?;
                    if what == "echo" {
                        worker.send(&ping).await?;
                    }
                }
                if what == "count" {
                    worker.send(&Done { done: task.count }).await?;
                }
            }
        }
    }
    Ok(())
}

/// The other process has its end of the pair as its standard input. What it is to do is said in 17
/// bytes: the load's first letter, bytes and count.
fn raw() -> Outcome {
    let (mut socket, theirs) = UnixStream::pair()?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg("raw-worker")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()?;
    serve(child.id(), |load, bytes, count| {
        let letter = *load.as_bytes().first().ok_or("no load")?;
        let mut task = vec![letter];
        task.extend(u64::try_from(bytes)?.to_ne_bytes());
        task.extend(count.to_ne_bytes());
        socket.write_all(&task)?;
        let mut message = vec![b'x'; bytes];
        match letter {
            b'r' => {
                for _ in 0..count {
                    socket.write_all(&message)?;
                    socket.read_exact(&mut message)?;
                }
            }
            b'd' => {
                for _ in 0..count {
                    socket.write_all(&message)?;
                }
                socket.read_exact(&mut [0])?;
            }
            _ => take(&mut socket, u64::try_from(bytes)? * count)?,
        }
        Ok(())
    })?;
    drop(socket);
    child.wait()?;
    Ok(())
}

fn raw_worker() -> Outcome {
    let mut socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut task = [0; 17];
    while socket.read_exact(&mut task).is_ok() {
        let number = |from: usize| -> Outcome<u64> {
            Ok(u64::from_ne_bytes(task[from..from + 8].try_into()?))
        };
        let (bytes, count) = (number(1)?, number(9)?);
        let mut message = vec![b'x'; usize::try_from(bytes)?];
        match task[0] {
            b'r' => {
                for _ in 0..count {
                    socket.read_exact(&mut message)?;
                    socket.write_all(&message)?;
                }
            }
            b'd' => {
                take(&mut socket, bytes * count)?;
                socket.write_all(&[0])?;
            }
            _ => {
                for _ in 0..count {
                    socket.write_all(&message)?;
                }
            }
        }
    }
    Ok(())
}

fn take(socket: &mut UnixStream, mut bytes: u64) -> Outcome {
    let mut buffer = vec![0; BUFFER];
    while bytes > 0 {
        match socket.read(&mut buffer)? {
            0 => return Err("the other process has left".into()),
            read => bytes -= u64::try_from(read)?,
        }
    }
    Ok(())
}
