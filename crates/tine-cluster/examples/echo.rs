//! A TCP server that says back what it hears, on every core, behind one port.
//!
//! ```text
//! cargo run --example echo
//! echo hello | nc localhost 3000
//! ```
//!
//! SIGINT to the primary (Ctrl-C in a terminal reaches all) lets the workers leave; each serves
//! the connections that it has to their end.

use std::error::Error;
use std::io;
use tine_cluster::worker::Worker;
use tine_cluster::{Cluster, Event};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    match Worker::from_env()? {
        Some(worker) => serve(worker).await,
        None => lead().await,
    }
}

async fn serve(worker: Worker) -> Result<(), Box<dyn Error>> {
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse::<u16>())?;
    let mut listener = worker.listen(([0, 0, 0, 0], port).into()).await?;
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            connection = listener.accept() => {
                let (stream, _client) = connection?;
                open.spawn(echo(stream));
            }
            Some(_) = open.join_next() => {}
            () = worker.shutdown() => break,
        }
    }
    drop(listener); // What waits goes to the other workers.
    open.join_all().await; // What has begun goes on to its end.
    Ok(())
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let (mut hears, mut says) = stream.split();
    tokio::io::copy(&mut hears, &mut says).await?;
    Ok(())
}

async fn lead() -> Result<(), Box<dyn Error>> {
    let (cluster, mut events) = Cluster::builder().start()?;
    for _ in 0..std::thread::available_parallelism()?.get() {
        cluster.fork()?;
    }
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Event::Listening { worker, address }) => {
                    println!("worker {} listens on {address}", worker.id());
                }
                Some(_) => {}
                None => return Ok(()),
            },
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                cluster.disconnect().await;
                return Ok(());
            }
        }
    }
}
