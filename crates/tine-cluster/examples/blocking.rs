//! A worker without async: four threads serve one port, another one talks to the primary.
//!
//! ```text
//! cargo build --release --package tine-cluster --example blocking
//! cargo run --release -- run target/release/examples/blocking -i 0
//! nc localhost 3000
//! ```

use std::error::Error;
use std::io::Write;
use std::thread;
use tine_cluster::worker::blocking::{Listener, Messages, Worker};

const THREADS: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let Some(worker) = Worker::from_env()? else {
        return Err("start me as a worker: tine run target/release/examples/blocking -i 0".into());
    };
    let port: u16 = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    // From now on SIGTERM ends the loops below, not the process.
    worker.shutdown_requested();
    let listener = worker.listen(([0, 0, 0, 0], port).into())?;
    worker.send("up")?;

    let messages = worker.messages();
    let talking = worker.clone();
    thread::spawn(move || talk(&talking, messages));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| serve(&worker, &listener));
        }
    });
    println!(
        "worker {:?} leaves: {:?}",
        worker.id(),
        worker.wait_for_shutdown()
    );
    Ok(())
}

fn serve(worker: &Worker, listener: &Listener) {
    let greeting = format!("worker {}", worker.id().unwrap_or(0));
    for connection in listener.incoming() {
        let said = connection.and_then(|mut stream| stream.write_all(greeting.as_bytes()));
        if let Err(error) = said {
            eprintln!("serving a client: {error}");
        }
    }
}

/// Doubles what is asked for, and sends everything else back.
fn talk(worker: &Worker, messages: Messages) {
    for message in messages {
        let said = match (message.request(), message.read::<f64>()) {
            (Some(request), Ok(number)) => worker.reply(request, &(number * 2.0)),
            (Some(request), Err(_)) => worker.refuse(request, "that is no number"),
            (None, _) => worker.send_body(message.body()),
        };
        if let Err(error) = said {
            eprintln!("answering the primary: {error}");
        }
    }
}
