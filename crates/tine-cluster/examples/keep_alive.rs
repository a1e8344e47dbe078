//! No request is lost when a worker is replaced, not even on connections that clients keep.
//!
//! ```text
//! cargo run --example keep_alive --features axum
//! curl localhost:3000
//! kill -HUP <pid of the primary>
//! ```
//!
//! A server that closes an idle connection can cut off a request that is on its way: HTTP knows no
//! remedy but to say goodbye in an answer. So a worker that is to leave says `Connection: close`
//! in its last answer to each client, and only after a while closes connections on which nobody
//! has asked.

use axum::Router;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use std::error::Error;
use std::time::Duration;
use tine_cluster::Cluster;
use tine_cluster::worker::Worker;
use tokio::signal::unix::{SignalKind, signal};

/// So long a client may be silent and still gets its goodbye in an answer.
const FAREWELL: Duration = Duration::from_millis(500);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match Worker::from_env()? {
        Some(worker) => serve(worker).await,
        None => lead().await,
    }
}

async fn serve(worker: Worker) -> Result<(), Box<dyn Error>> {
    let pid = std::process::id();
    let this = worker.clone();
    let goodbye = move |mut answer: Response| {
        if this.shutdown_reason().is_some() {
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(CONNECTION, close);
        }
        std::future::ready(answer)
    };
    let app = Router::new()
        .route(
            "/",
            get(move || async move { format!("hello from pid {pid}\n") }),
        )
        .layer(map_response(goodbye));

    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse::<u16>())?;
    let listener = worker.listen(([0, 0, 0, 0], port).into()).await?;
    let all_said = async move {
        worker.shutdown().await; // New connections go to other workers from here on.
        tokio::time::sleep(FAREWELL).await;
    };
    axum::serve(listener, app)
        .with_graceful_shutdown(all_said)
        .await?;
    Ok(())
}

async fn lead() -> Result<(), Box<dyn Error>> {
    let (cluster, _events) = Cluster::builder().start()?;
    for _ in 0..std::thread::available_parallelism()?.get() {
        cluster.fork()?;
    }
    let mut hangup = signal(SignalKind::hangup())?;
    while let Some(()) = hangup.recv().await {
        for old in cluster.workers() {
            let new = cluster.replace(&old).await?;
            println!("worker {} takes over from worker {}", new.id(), old.id());
        }
    }
    Ok(())
}
