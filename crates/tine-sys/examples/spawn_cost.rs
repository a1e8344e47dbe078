//! What does starting a program cost a caller with much memory?
//!
//! `cargo run --release -p tine-sys --example spawn_cost -- [MEGABYTES] [TIMES]`

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::process::{WaitId, WaitIdOptions, waitid};
use tine_sys::spawn::{Spawn, spawn};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let megabytes = arguments.next().and_then(Result::ok).unwrap_or(500);
    let times = arguments.next().and_then(Result::ok).unwrap_or(200).max(1);
    let request = Spawn::new(c"/bin/true".to_owned());
    for memory in [0, megabytes] {
        // Written to, so that it is really there.
        let held = vec![1_u8; memory << 20];
        let mut took: Vec<Duration> = (0..times).map(|_| once(&request)).collect();
        took.sort_unstable();
        let (middle, worst) = (took[times / 2], took[times - 1]);
        println!("{memory:>5} MB held: {middle:?} (middle), {worst:?} (worst of {times})");
        drop(held);
    }
}

fn once(request: &Spawn<'_>) -> Duration {
    let start = Instant::now();
    match spawn(request) {
        Ok(child) => {
            let took = start.elapsed();
            let _ = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED);
            took
        }
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}
