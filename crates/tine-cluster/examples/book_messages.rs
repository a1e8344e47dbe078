//! The second program of the book: messages both ways.
//!
//! ```text
//! cargo run --example book_messages
//! ```
//!
//! Nothing ends by itself: Ctrl-C ends it.

use serde::{Deserialize, Serialize};
use std::error::Error;
use tine_cluster::worker::Worker;
use tine_cluster::{Cluster, Event};

/// Whatever serde can write can be said.
#[derive(Debug, Serialize, Deserialize)]
struct Greeting {
    from: u32,
    text: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    match Worker::from_env()? {
        Some(worker) => work(worker).await,
        None => lead().await,
    }
}

async fn lead() -> Result<(), Box<dyn Error>> {
    let (cluster, mut events) = Cluster::builder().start()?;
    for _ in 0..std::thread::available_parallelism()?.get() {
        cluster.fork()?;
    }
    for worker in cluster.workers() {
        worker.send(&greeting("do some work")).await?;
    }
    while let Some(event) = events.next().await {
        if let Event::Message { worker, message } = event {
            let Greeting { from, text } = message.read()?;
            println!(
                "primary: worker {} with pid {from} says: {text}",
                worker.id()
            );
        }
    }
    Ok(())
}

async fn work(worker: Worker) -> Result<(), Box<dyn Error>> {
    worker.send(&greeting("I am here")).await?;
    let mut messages = worker.messages();
    while let Some(message) = messages.next().await {
        let Greeting { from, text } = message.read()?;
        println!(
            "worker {}: the primary with pid {from} says: {text}",
            std::process::id()
        );
    }
    Ok(())
}

fn greeting(text: &str) -> Greeting {
    Greeting {
        from: std::process::id(),
        text: text.to_owned(),
    }
}
