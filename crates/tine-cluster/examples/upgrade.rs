//! A primary that becomes its own next version on SIGHUP, while its workers serve on.
//!
//! ```text
//! cargo run --example upgrade -- app.js 4
//! kill -HUP <pid>
//! ```

use std::error::Error;
use tine_cluster::cluster::Upgrade;
use tine_cluster::{Cluster, Event, Policy};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let script = arguments.next().ok_or("which script?")?;
    let count: usize = arguments.next().map_or(Ok(2), |count| count.parse())?;
    let policy = match arguments.next().as_deref() {
        Some("kernel") => Policy::Kernel,
        Some("shared") => Policy::Shared,
        Some("least") => Policy::Least,
        Some("sticky") => Policy::Sticky,
        _ => Policy::RoundRobin,
    };

    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (cluster, mut events) = Cluster::builder()
        .exec(script)
        .args(std::env::args().skip(4))
        .policy(policy)
        .hold_listeners(true)
        .start()?;
    // After an upgrade they are there already.
    for _ in cluster.workers().len()..count {
        cluster.fork()?;
    }
    let version: u32 = std::env::var("VERSION").map_or(Ok(1), |version| version.parse())?;
    println!(
        "version {version} of the primary, {} workers",
        cluster.workers().len()
    );

    loop {
        tokio::select! {
            // The end first: an upgrade would forget that it was asked for.
            biased;
            _ = terminate.recv() => break,
            event = events.next() => match event {
                Some(Event::Listening { worker, address }) => {
                    println!("worker {} (pid {}) listens on {address}", worker.id(), worker.pid());
                }
                Some(Event::Message { worker, message }) => {
                    println!("worker {} says {}", worker.id(), message.body().to_json()?);
                    worker.send(&format!("version {version} heard you")).await?;
                }
                Some(Event::Exit { worker, status, exited_after_disconnect: false }) => {
                    println!("worker {} ended: {status}", worker.id());
                    cluster.fork()?;
                }
                Some(_) => {}
                None => return Ok(()),
            },
            _ = hangup.recv() => {
                let mut next = Upgrade::new();
                next.env("VERSION", (version + 1).to_string());
                eprintln!("{}; version {version} goes on", cluster.upgrade(&next));
            }
        }
    }
    cluster.disconnect().await;
    println!("all have left");
    Ok(())
}
