//! Servers that do everything wrong, for the tests of the clients.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n";
const BODY: &[u8] = b"pid 42, at your service\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Answer,
    AnswerTwiceThenEnd,
    Chunks,
    ResetAtOnce,
    ResetInBody,
    EndAtOnce,
    EndInBody,
    EndInChunks,
    Hang,
    Babble,
    TooMuch,
    NoLength,
    /// Each of the failures in turn, then an answer.
    Everything,
}

/// What `Everything` does, one connection after another.
const EVERYTHING: [Behaviour; 6] = [
    Behaviour::ResetAtOnce,
    Behaviour::ResetInBody,
    Behaviour::EndAtOnce,
    Behaviour::EndInBody,
    Behaviour::Babble,
    Behaviour::Answer,
];

/// A server of one behaviour, one thread per connection. It ends when dropped.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(behaviour: Behaviour) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut hanging = Vec::new();
            for (number, stream) in listener.incoming().enumerate() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let stream = stream.unwrap();
                let behaviour = match behaviour {
                    Behaviour::Everything => EVERYTHING[number % EVERYTHING.len()],
                    other => other,
                };
                if behaviour == Behaviour::Hang {
                    hanging.push(stream);
                } else {
                    // A client that goes away is its own business.
                    thread::spawn(move || drop(serve(stream, behaviour)));
                }
            }
        });
        Server {
            address,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        self.thread.take().unwrap().join().unwrap();
    }
}

fn serve(mut stream: TcpStream, behaviour: Behaviour) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    // More than anybody asks for, but an end to it all.
    for number in 0..10_000 {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut bytes = [0; 1000];
            let length = stream.read(&mut bytes)?;
            if length == 0 {
                return Ok(());
            }
            request.extend_from_slice(&bytes[..length]);
        }
        match behaviour {
            Behaviour::Answer => {
                // In two pieces, so that the client has to put them together.
                stream.write_all(HEAD)?;
                stream.write_all(BODY)?;
                continue;
            }
            Behaviour::AnswerTwiceThenEnd if number < 2 => {
                stream.write_all(&[HEAD, BODY].concat())?;
                if number == 0 {
                    continue;
                }
            }
            Behaviour::Chunks => {
                let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                    7\r\npid 42 \r\n9;x=y\r\nin chunks\r\n0\r\n\r\n";
                for piece in chunks.chunks(5) {
                    stream.write_all(piece)?;
                }
                continue;
            }
            Behaviour::ResetAtOnce => set_socket_linger(&stream, Some(Duration::ZERO))?,
            Behaviour::ResetInBody => {
                stream.write_all(&[HEAD, &BODY[..10]].concat())?;
                set_socket_linger(&stream, Some(Duration::ZERO))?;
            }
            Behaviour::EndInBody => stream.write_all(&[HEAD, &BODY[..10]].concat())?,
            Behaviour::EndInChunks => stream.write_all(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\npid 42 \r\n",
            )?,
            Behaviour::Babble => stream.write_all(b"+PONG\r\n")?,
            Behaviour::TooMuch => stream.write_all(&[HEAD, BODY, BODY].concat())?,
            Behaviour::NoLength => stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello")?,
            Behaviour::EndAtOnce
            | Behaviour::AnswerTwiceThenEnd
            | Behaviour::Hang
            | Behaviour::Everything => {}
        }
        return Ok(());
    }
    Ok(())
}
