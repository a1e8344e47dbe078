//! An HTTP server that is a worker of `tine run`. Needs nothing but cargo:
//!
//! ```text
//! cargo build --release --package tine-cluster --example hello
//! cargo run --release -- run target/release/examples/hello -i 0
//! curl localhost:3000
//! ```

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use tine_cluster::worker::Worker;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(worker) = Worker::from_env()? else {
        return Err("start me as a worker: tine run target/release/examples/hello -i 0".into());
    };
    let worker = Arc::new(worker);
    let port: u16 = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let mut listener = worker.listen(([0, 0, 0, 0], port).into()).await?;

    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            connection = listener.accept() => {
                let (stream, _client) = connection?;
                open.spawn(serve(stream, worker.clone()));
            }
            Some(_) = open.join_next() => {}
            () = worker.shutdown() => break,
        }
    }
    drop(listener); // What waits goes to the other workers.
    while open.join_next().await.is_some() {} // What has begun is answered.
    Ok(())
}

async fn serve(stream: TcpStream, worker: Arc<Worker>) {
    let slot = std::env::var("NODE_APP_INSTANCE").unwrap_or_default();
    let (slot, pid) = (&*slot, std::process::id());
    let first_request = Notify::new();
    let hello = service_fn(|_: Request<Incoming>| {
        first_request.notify_one();
        let text = format!("Hello World from worker {slot} (pid {pid})\n");
        async { Ok::<_, Infallible>(Response::new(text)) }
    });
    let mut served = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), hello));
    tokio::select! {
        _ = served.as_mut() => return,
        () = worker.shutdown() => {}
    }
    // hyper would close a connection whose first request it has not read yet.
    tokio::select! {
        _ = served.as_mut() => return,
        () = first_request.notified() => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}
