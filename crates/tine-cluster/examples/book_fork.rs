//! The first program of the book: fork and exit.
//!
//! ```text
//! cargo run --example book_fork
//! ```
//!
//! One program is both: the primary forks it again, once for each core, and each copy finds out
//! which of the two it is.

use std::error::Error;
use tine_cluster::Cluster;
use tine_cluster::worker::Worker;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let pid = std::process::id();
    if Worker::from_env()?.is_some() {
        println!("worker: my pid is {pid}");
        return Ok(());
    }

    println!("primary: my pid is {pid}");
    let (cluster, _events) = Cluster::builder().start()?;
    for number in 1..=std::thread::available_parallelism()?.get() {
        println!("primary: forking process number {number}");
        cluster.fork()?;
    }
    for worker in cluster.workers() {
        worker.exited().await;
    }
    Ok(())
}
