//! How many connections a second can one primary pass to one worker?
//!
//! Both ends are in this process, one after the other, so the number is the cost of both; the
//! median of a few rounds is printed. `cargo run --release -p tine-ipc --example
//! handles_per_second`
#![forbid(unsafe_code)]

use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;
use tine_ipc::encode::{self, NativeKind};
use tine_ipc::unix::{flush, receive};
use tine_ipc::{Act, Channel, Event, Limits, Token};

type Failure = Box<dyn std::error::Error>;

const ROUNDS: usize = 7;
const HANDLES: i64 = 50_000;

struct End {
    socket: UnixStream,
    channel: Channel,
    buffer: Vec<u8>,
}

impl End {
    fn new(socket: UnixStream) -> Self {
        Self {
            socket,
            channel: Channel::new(Limits::default()),
            buffer: vec![0; 64 * 1024],
        }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        flush(self.socket.as_fd(), &mut self.channel, |_| Ok(0))?;
        Ok(())
    }

    fn receive(&mut self) -> Result<(), Failure> {
        receive(self.socket.as_fd(), &mut self.channel, &mut self.buffer)?;
        Ok(())
    }
}

/// Passes one handle and waits for its `accepted`, as round robin does.
fn pass(
    primary: &mut End,
    worker: &mut End,
    connection: &Arc<OwnedFd>,
    seq: i64,
) -> Result<(), Failure> {
    let text = encode::new_connection("\"null:3000:4:undefined\"", seq);
    let token = Token(seq.unsigned_abs());
    let kind = NativeKind::TcpConnection;
    primary
        .channel
        .send_cluster_handle(&text, kind, Arc::clone(connection), token);
    primary.flush()?;
    worker.receive()?;
    while let Some(event) = worker.channel.poll_event() {
        if let Event::Cluster(message, Some(_connection)) = event {
            let answer = encode::accepted(message.seq.unwrap_or(0), true, seq);
            worker.channel.send_cluster(&answer);
        }
    }
    worker.flush()?;
    primary.receive()?;
    let (mut taken, mut accepted) = (false, false);
    while let Some(event) = primary.channel.poll_event() {
        match event {
            Event::HandleTaken(_) => taken = true,
            Event::Cluster(message, _) => {
                accepted = matches!(message.act, Act::Reply(_)) && message.ack == Some(seq);
            }
            other => return Err(format!("unexpected: {other:?}").into()),
        }
    }
    if taken && accepted {
        Ok(())
    } else {
        Err("the worker did not take it".into())
    }
}

/// The same messages without a socket: what this crate itself costs.
fn pass_in_memory(
    primary: &mut Channel,
    connection: &Arc<OwnedFd>,
    seq: i64,
) -> Result<(), Failure> {
    let text = encode::new_connection("\"null:3000:4:undefined\"", seq);
    let token = Token(seq.unsigned_abs());
    let kind = NativeKind::TcpConnection;
    primary.send_cluster_handle(&text, kind, Arc::clone(connection), token);
    let next = primary.poll_transmit().ok_or("nothing to write")?;
    let count = next.bytes.len();
    primary.transmitted(count);
    let answer = [
        &b"{\"cmd\":\"NODE_HANDLE_ACK\"}\n"[..],
        &encode::accepted(seq, true, seq),
        b"\n",
    ]
    .concat();
    primary.receive(&answer)?;
    let mut events = 0;
    while primary.poll_event().is_some() {
        events += 1;
    }
    if events == 2 {
        Ok(())
    } else {
        Err("the answers were not understood".into())
    }
}

fn median(mut round: impl FnMut() -> Result<f64, Failure>) -> Result<f64, Failure> {
    let mut results = (0..ROUNDS)
        .map(|_| round())
        .collect::<Result<Vec<_>, _>>()?;
    results.sort_by(f64::total_cmp);
    Ok(results[ROUNDS / 2])
}

fn main() -> Result<(), Failure> {
    let connection: Arc<OwnedFd> = Arc::new(std::fs::File::open("/dev/null")?.into());
    let each = |start: Instant| start.elapsed().as_secs_f64() * 1e9 / HANDLES as f64;

    let mut primary = Channel::new(Limits::default());
    let nanoseconds = median(|| {
        let start = Instant::now();
        for seq in 0..HANDLES {
            pass_in_memory(&mut primary, &connection, seq)?;
        }
        Ok(each(start))
    })?;
    println!("primary's share without the socket: {nanoseconds:.0} ns for each connection");

    let (one, other) = UnixStream::pair()?;
    let (mut primary, mut worker) = (End::new(one), End::new(other));
    let nanoseconds = median(|| {
        let start = Instant::now();
        for seq in 0..HANDLES {
            pass(&mut primary, &mut worker, &connection, seq)?;
        }
        Ok(each(start))
    })?;
    println!("both ends with the socket: {nanoseconds:.0} ns for each connection");
    Ok(())
}
