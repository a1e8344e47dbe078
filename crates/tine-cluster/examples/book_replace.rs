//! The fifth program of the book: whoever dies is replaced, and the service stays up.
//!
//! ```text
//! cargo run --example book_replace
//! curl localhost:3000
//! ```
//!
//! To imitate a failure, a worker ends with code 1 after each response. The connections that the
//! primary has passed to it meanwhile, and which it has not accepted, go to the others.

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::error::Error;
use tine_cluster::worker::Worker;
use tine_cluster::{Cluster, Event};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    match Worker::from_env()? {
        Some(worker) => serve(worker).await,
        None => lead().await,
    }
}

async fn lead() -> Result<(), Box<dyn Error>> {
    // Also when all are dead at once, the port stays open: clients wait a moment.
    let (cluster, mut events) = Cluster::builder().hold_listeners(true).start()?;
    for _ in 0..std::thread::available_parallelism()?.get() {
        cluster.fork()?;
    }
    while let Some(event) = events.next().await {
        match event {
            Event::Exit { worker, status, .. } => {
                println!("worker {} died: {status}; forking another", worker.pid());
                cluster.fork()?;
            }
            Event::Listening { worker, address } => {
                println!("worker {} listens on {address}", worker.pid());
            }
            _ => {}
        }
    }
    Ok(())
}

async fn serve(worker: Worker) -> Result<(), Box<dyn Error>> {
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse::<u16>())?;
    let mut listener = worker.listen(([0, 0, 0, 0], port).into()).await?;
    let (stream, _client) = listener.accept().await?;
    http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service_fn(hello))
        .await?;
    std::process::exit(1);
}

async fn hello(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let pid = std::process::id();
    Ok(Response::new(format!("Hello World from pid {pid}\n")))
}
