//! Node.js `cluster` for Rust: one program on every core, behind one port.
//!
//! A [`Cluster`] is the primary: it starts worker processes, talks to them, and shares listening
//! sockets among them. A [`Worker`](worker::Worker) is this process as one of them. Both speak Node's
//! own wire protocol, so either side may be a Node program that knows nothing of it.
//!
//! ```no_run
//! use tine_cluster::{Cluster, Event, worker::Worker};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     match Worker::from_env()? {
//!         Some(worker) => serve(worker).await,
//!         None => supervise().await,
//!     }
//! }
//!
//! /// As many workers as cores, each replaced when it dies.
//! async fn supervise() -> Result<(), Box<dyn std::error::Error>> {
//!     let (cluster, mut events) = Cluster::builder().start()?;
//!     for _ in 0..std::thread::available_parallelism()?.get() {
//!         cluster.fork()?;
//!     }
//!     while let Some(event) = events.next().await {
//!         match event {
//!             Event::Listening { worker, address } => {
//!                 println!("worker {} listens on {address}", worker.id());
//!             }
//!             Event::Exit { worker, status, exited_after_disconnect: false } => {
//!                 println!("worker {} died: {status}", worker.id());
//!                 cluster.fork()?;
//!             }
//!             _ => {}
//!         }
//!     }
//!     Ok(())
//! }
//!
//! /// All workers share the port.
//! async fn serve(worker: Worker) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut listener = worker.listen("0.0.0.0:3000".parse()?).await?;
//!     loop {
//!         let (stream, _client) = tokio::select! {
//!             connection = listener.accept() => connection?,
//!             () = worker.shutdown() => return Ok(()),
//!         };
//!         tokio::spawn(async move {
//!             let text = format!("hello from {}\n", std::process::id());
//!             let _ = stream.writable().await;
//!             let _ = stream.try_write(text.as_bytes());
//!         });
//!     }
//! }
//! ```
//!
//! With Node workers the primary is all there is to write: `Cluster::builder().exec("server.js")`.
//!
//! # What is where
//!
//! | question | answer |
//! |---|---|
//! | What are workers started as? | [`Setup`]: every setting of `cluster.setupPrimary` |
//! | What happened? | [`Events`]: fork, online, listening, message, disconnect, exit |
//! | What can be asked of one worker? | [`WorkerProcess`]: send, request, disconnect, kill, its pipes |
//! | Who gets the next connection? | [`Policy`] |
//! | How is a worker replaced without losing a request? | [`Cluster::replace`] |
//! | How is the primary itself replaced? | [`Cluster::upgrade`] |
//! | What can a Rust worker do? | [`worker`]: listen on TCP, unix and UDP, messages, sockets, shutdown |
//! | And without tokio? | [`blocking`] |
//! | How do I drive it by hand? | [`primary::Primary`] |
//!
//! Features: `axum` makes the listeners of a worker what `axum::serve` takes.
//!
//! What was checked against Node's own tests, one by one: `docs/node-parity.md` in the repository.
#![forbid(unsafe_code)]

mod claims;
pub mod cluster;
mod error;
mod handle;
mod message;
pub mod primary;
mod request;
pub mod worker;

pub use worker::blocking;

pub use cluster::{Cluster, Event, Events, Setup, Stdio, WorkerProcess};
pub use error::{RequestError, SendError};
pub use handle::Handle;
pub use message::Message;
pub use primary::{ForkError, ListeningAddress, Policy, Sharing, SteeringReport, WorkerId};
pub use request::RequestId;
pub use rustix::process::{Pid, Signal};
pub use tine_ipc::{Body, BodyError, Dialect, Serialization, v8};
pub use tine_sys::reap::ExitStatus;
