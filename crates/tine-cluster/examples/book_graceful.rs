//! The seventh program of the book: graceful shutdown, with a deadline.
//!
//! ```text
//! cargo run --example book_graceful --features axum
//! curl localhost:3000/hello/you
//! kill -HUP <pid of the primary>     # one worker after the other is replaced
//! kill -INT <pid of the primary>     # all leave; Ctrl-C does the same
//! ```
//!
//! A worker that is to leave accepts no more, answers what it has begun, cleans up and ends with
//! code 0. If that takes more than 5 seconds, it ends with code 1 whatever it is doing.

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use std::error::Error;
use std::time::Duration;
use tine_cluster::worker::Worker;
use tine_cluster::{Cluster, Event, Events};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    match Worker::from_env()? {
        Some(worker) => serve(worker).await,
        None => lead().await,
    }
}

async fn serve(worker: Worker) -> Result<(), Box<dyn Error>> {
    let app = Router::new()
        .route("/hello", get("Hello World !!!\n"))
        .route("/hello/{name}", get(hello))
        .route("/slow/{seconds}", get(slow));

    let to_leave = worker.shutdown();
    tokio::spawn(async {
        to_leave.await;
        sleep(PATIENCE).await;
        println!("worker {}: it takes too long", std::process::id());
        std::process::exit(1);
    });

    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse::<u16>())?;
    let listener = worker.listen(([0, 0, 0, 0], port).into()).await?;
    axum::serve(listener, app)
        .with_graceful_shutdown(worker.shutdown())
        .await?;
    println!("worker {}: cleaning up", std::process::id());
    Ok(())
}

async fn hello(Path(name): Path<String>) -> String {
    format!("Hello {}!!!\n", name.to_uppercase())
}

async fn slow(Path(seconds): Path<u64>) -> String {
    println!("worker {}: /slow takes its time", std::process::id());
    sleep(Duration::from_secs(seconds)).await;
    format!("{seconds} s later\n")
}

async fn lead() -> Result<(), Box<dyn Error>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (cluster, events) = Cluster::builder().start()?;
    for _ in 0..std::thread::available_parallelism()?.get() {
        cluster.fork()?;
    }
    tokio::spawn(tell(events));
    loop {
        tokio::select! {
            _ = hangup.recv() => replace_all(&cluster).await?,
            _ = interrupt.recv() => break,
        }
    }
    cluster.disconnect().await;
    println!("primary: all have left");
    Ok(())
}

/// One after another, so that somebody answers all the time.
async fn replace_all(cluster: &Cluster) -> Result<(), Box<dyn Error>> {
    for old in cluster.workers() {
        let new = cluster.replace(&old).await?;
        old.exited().await;
        println!("primary: worker {} is replaced by {}", old.pid(), new.pid());
    }
    println!("primary: all are replaced");
    Ok(())
}

async fn tell(mut events: Events) {
    while let Some(event) = events.next().await {
        match event {
            Event::Listening { worker, address } => {
                println!("primary: worker {} listens on {address}", worker.pid());
            }
            Event::Exit { worker, status, .. } => {
                println!("primary: worker {} has left: {status}", worker.pid());
            }
            _ => {}
        }
    }
}
