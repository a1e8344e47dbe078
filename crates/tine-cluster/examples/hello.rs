//! An HTTP server that is a worker of `tine run`. Needs nothing but cargo:
//!
//! ```text
//! cargo build --release --example hello -p tine-cluster
//! cargo run --release -- run target/release/examples/hello -i 0
//! curl localhost:3000
//! ```

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::error::Error;
use tine_cluster::worker::Worker;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(worker) = Worker::from_env()? else {
        return Err("start me as a worker: tine run target/release/examples/hello -i 0".into());
    };
    let port: u16 = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let mut listener = worker.listen(([0, 0, 0, 0], port).into()).await?;
    let (id, pid) = (worker.id().unwrap_or(0), std::process::id());

    let open = GracefulShutdown::new();
    loop {
        tokio::select! {
            connection = listener.accept() => {
                let (stream, _client) = connection?;
                let hello = service_fn(move |_: Request<Incoming>| async move {
                    let text = format!("Hello World from worker {id} (pid {pid})\n");
                    Ok::<_, Infallible>(Response::new(text))
                });
                let served = http1::Builder::new().serve_connection(TokioIo::new(stream), hello);
                tokio::spawn(open.watch(served));
            }
            () = worker.shutdown() => break,
        }
    }
    drop(listener);
    open.shutdown().await; // What has begun is answered, then the process ends.
    Ok(())
}
