//! A gRPC server on every core, behind one port. Its service is the standard one that tells
//! whether a server is well.
//!
//! ```text
//! cargo run --example tonic
//! grpcurl -plaintext localhost:3000 grpc.health.v1.Health/Check
//! ```
//!
//! A gRPC client keeps one connection for all its calls: `Policy::Least` spreads clients best.

use std::error::Error;
use tine_cluster::worker::Worker;
use tine_cluster::{Cluster, Event, Policy};
use tonic::transport::Server;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match Worker::from_env()? {
        Some(worker) => serve(worker).await,
        None => lead().await,
    }
}

async fn serve(worker: Worker) -> Result<(), Box<dyn Error>> {
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse::<u16>())?;
    let listener = worker.listen(([0, 0, 0, 0], port).into()).await?;
    let (_reporter, health) = tonic_health::server::health_reporter();
    Server::builder()
        .add_service(health)
        .serve_with_incoming_shutdown(listener, worker.shutdown())
        .await?;
    Ok(())
}

async fn lead() -> Result<(), Box<dyn Error>> {
    let (cluster, mut events) = Cluster::builder().policy(Policy::Least).start()?;
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
