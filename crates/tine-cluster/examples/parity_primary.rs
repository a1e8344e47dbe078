//! A primary that ends in a way of your choice: what becomes of its workers?
//!
//! ```text
//! parity_primary HOW NODE SCRIPT [ARGUMENT…]
//! ```
//!
//! It says `worker PID` for each of its workers, and what happens to them. When all listen: `exit`
//! exits with 0, `panic` panics, `hook` panics and has a panic hook that exits with 42, `stay`
//! waits to be killed. `args` has one worker, which gets the arguments of this program. `detached`
//! has one process in a group of its own that is no cluster worker. `accept` has no descriptor free
//! when the first connection comes.
#![forbid(unsafe_code)]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::error::Error;
use tine_cluster::{Cluster, Event};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, how, node, script, ..] = &arguments[..] else {
        return Err("usage: parity_primary HOW NODE SCRIPT [ARGUMENT…]".into());
    };
    let mut setup = Cluster::builder();
    setup.exec(script).exec_path(node);
    if how == "detached" {
        setup
            .exec_path("env")
            .exec_argv(["-u", "NODE_UNIQUE_ID", node]);
        setup.own_group(true);
    }
    if how == "hook" {
        std::panic::set_hook(Box::new(|_| std::process::exit(42)));
    }
    let (cluster, mut events) = setup.start()?;
    println!("policy {}", cluster.policy());
    let workers = match how.as_str() {
        "args" | "detached" | "accept" => 1,
        _ => 2,
    };
    for _ in 0..workers {
        println!("worker {}", cluster.fork()?.pid());
    }
    let files = getrlimit(Resource::Nofile);
    let mut listening = 0;
    while let Some(event) = events.next().await {
        match event {
            Event::Listening { worker, .. } => {
                listening += 1;
                if listening < workers {
                    continue;
                }
                match how.as_str() {
                    "exit" => std::process::exit(0),
                    "panic" | "hook" => panic!("an accident"),
                    "accept" => {
                        let none = Rlimit {
                            current: Some(3),
                            ..files
                        };
                        setrlimit(Resource::Nofile, none)?;
                        worker.send("connect").await?;
                    }
                    _ => println!("all listen"),
                }
            }
            Event::AcceptFailed { error, .. } => {
                println!("accept failed: {error}");
                setrlimit(Resource::Nofile, files)?;
            }
            Event::Message { message, .. } => println!("message {}", message.body().to_json()?),
            Event::Exit { status, .. } => {
                println!("{status}");
                if cluster.workers().is_empty() {
                    break;
                }
            }
            _ => {}
        }
    }
    Ok(())
}
