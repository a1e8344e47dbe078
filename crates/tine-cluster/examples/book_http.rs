//! The third program of the book: HTTP on every core, and all share one port.
//!
//! ```text
//! cargo run --release --example book_http
//! curl localhost:3000
//! ```

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
    let (cluster, mut events) = Cluster::builder().start()?;
    for _ in 0..std::thread::available_parallelism()?.get() {
        cluster.fork()?;
    }
    while let Some(event) = events.next().await {
        if let Event::Listening { worker, address } = event {
            println!(
                "worker {} with pid {} listens on {address}",
                worker.id(),
                worker.pid()
            );
        }
    }
    Ok(())
}

async fn serve(worker: Worker) -> Result<(), Box<dyn Error>> {
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse::<u16>())?;
    let mut listener = worker.listen(([0, 0, 0, 0], port).into()).await?;
    loop {
        let (stream, _client) = listener.accept().await?;
        let served =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(hello));
        tokio::spawn(served);
    }
}

async fn hello(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let pid = std::process::id();
    Ok(Response::new(format!("Hello World from pid {pid}\n")))
}
