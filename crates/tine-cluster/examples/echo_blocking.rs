//! A TCP server that says back what it hears, with threads and without async.
//!
//! ```text
//! cargo build --release --package tine-cluster --example echo_blocking
//! cargo run --release -- run target/release/examples/echo_blocking -i 0
//! echo hello | nc localhost 3000
//! ```

use std::error::Error;
use std::io;
use std::net::TcpStream;
use std::thread;
use tine_cluster::worker::blocking::Worker;

fn main() -> Result<(), Box<dyn Error>> {
    let Some(worker) = Worker::from_env()? else {
        return Err("start me as a worker: tine run target/release/examples/echo_blocking".into());
    };
    worker.shutdown_requested(); // From now on SIGTERM ends the loop below, not the process.
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse::<u16>())?;
    let listener = worker.listen(([0, 0, 0, 0], port).into())?;
    thread::scope(|open| {
        let listener = listener; // Dropped at the end of the loop: what waits goes to the others.
        for connection in listener.incoming() {
            let stream = connection?;
            open.spawn(|| echo(stream));
        }
        Ok(()) // What has begun goes on to its end.
    })
}

fn echo(stream: TcpStream) -> io::Result<()> {
    io::copy(&mut &stream, &mut &stream)?;
    Ok(())
}
