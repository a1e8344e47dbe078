//! An axum server on every core, behind one port.
//!
//! ```text
//! cargo run --example axum --features axum
//! curl localhost:3000
//! ```
//!
//! The crate's feature `axum` lets `axum::serve` take a worker's listener as it is.

use axum::Router;
use axum::routing::get;
use std::error::Error;
use tine_cluster::worker::Worker;
use tine_cluster::{Cluster, Event};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match Worker::from_env()? {
        Some(worker) => serve(worker).await,
        None => lead().await,
    }
}

async fn serve(worker: Worker) -> Result<(), Box<dyn Error>> {
    let pid = std::process::id();
    let app = Router::new().route(
        "/",
        get(move || async move { format!("hello from pid {pid}\n") }),
    );
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse::<u16>())?;
    let listener = worker.listen(([0, 0, 0, 0], port).into()).await?;
    axum::serve(listener, app)
        .with_graceful_shutdown(worker.shutdown())
        .await?;
    Ok(())
}

async fn lead() -> Result<(), Box<dyn Error>> {
    let (cluster, mut events) = Cluster::builder().start()?;
    for _ in 0..std::thread::available_parallelism()?.get() {
        cluster.fork()?;
    }
    while let Some(event) = events.next().await {
        match event {
            Event::Listening { worker, address } => {
                println!("worker {} listens on {address}", worker.id());
            }
            // Whoever ends without having been asked to is replaced.
            Event::Exit {
                exited_after_disconnect: false,
                ..
            } => {
                cluster.fork()?;
            }
            _ => {}
        }
    }
    Ok(())
}
