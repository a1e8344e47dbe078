//! How is one client heard, from its greeting to its end?

use super::events::Events;
use super::outbox::Outbox;
use super::responder::Requests;
use super::{Asked, Handler, Peer, Rules};
use crate::limits::{LINE_BYTES, REQUESTS};
use crate::line::{self, Greeting};
use crate::reply::{Answer, Done, ErrorCode, Failure, Subscribed};
use crate::request::{self, NotARequest, Request};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::watch;
use tokio::time::Instant;

/// As much as is read at a time.
const CHUNK: usize = 16 * 1024;

/// What all connections have in common.
pub(super) struct Shared<H> {
    pub(super) greeting: Greeting,
    pub(super) rules: Rules,
    pub(super) events: Events,
    pub(super) handler: H,
    /// Becomes true when the server is to end.
    pub(super) ended: watch::Receiver<bool>,
}

/// Serves one client to its end.
pub(super) async fn serve<H: Handler>(stream: UnixStream, peer: Peer, shared: Arc<Shared<H>>) {
    let outbox = Arc::new(Outbox::default());
    if let Ok(greeting) = line::greeting(&shared.greeting) {
        outbox.put(greeting);
    }
    let (from, to) = stream.into_split();
    let hearing = async {
        let connection = Connection {
            outbox: Arc::clone(&outbox),
            requests: Arc::default(),
            peer,
            subscribed: false,
            shared,
        };
        connection.hear(from).await;
        outbox.end();
    };
    tokio::join!(hearing, outbox.deliver(to));
}

struct Connection<H> {
    outbox: Arc<Outbox>,
    /// Responders see that the client is gone when this goes.
    requests: Arc<Requests>,
    peer: Peer,
    subscribed: bool,
    shared: Arc<Shared<H>>,
}

impl<H: Handler> Connection<H> {
    /// Reads until the client is gone or is to be left. What is left unsaid then is in the outbox.
    async fn hear(mut self, mut from: OwnedReadHalf) {
        let mut ended = self.shared.ended.clone();
        let outbox = Arc::clone(&self.outbox);
        tokio::select! {
            () = self.hear_all(&mut from) => {}
            () = outbox.ended() => {}
            _ = ended.wait_for(|ended| *ended) => {}
        }
    }

    async fn hear_all(&mut self, from: &mut OwnedReadHalf) {
        let deadline = Instant::now() + self.shared.rules.first_request;
        let mut lines = Lines::default();
        let mut known = false;
        loop {
            let line = if known {
                lines.next(from).await
            } else {
                match tokio::time::timeout_at(deadline, lines.next(from)).await {
                    Ok(line) => line,
                    Err(_) => {
                        return self.outbox.cut(&Failure::new(
                            ErrorCode::TooLate,
                            format!(
                                "no request within {} ms",
                                self.shared.rules.first_request.as_millis()
                            ),
                        ));
                    }
                }
            };
            match line {
                Ok(Some(line)) if line.trim_ascii().is_empty() => {}
                Ok(Some(line)) => known |= self.hear_line(line),
                // No more will be asked; what was asked is still to be answered.
                Ok(None) => return self.until_nobody_waits(from).await,
                Err(LineError::TooLong) => {
                    return self.outbox.cut(&Failure::new(
                        ErrorCode::TooLarge,
                        format!("a request has at most {LINE_BYTES} bytes"),
                    ));
                }
                Err(LineError::Broken) => return,
            }
        }
    }

    /// Whether it was a request.
    fn hear_line(&mut self, line: &[u8]) -> bool {
        match request::read(line) {
            Ok((id, request)) => {
                self.hear_request(id, request);
                true
            }
            Err(NotARequest { id, failure }) => {
                // Without an id too: somebody who types by hand may try again.
                if let Ok(line) = line::failed(id, &failure) {
                    self.outbox.put(line);
                }
                false
            }
        }
    }

    fn hear_request(&mut self, id: u64, request: Request) {
        match request {
            Request::Cancel(cancel) => {
                let found = self.requests.cancel(cancel.request);
                self.answer(
                    id,
                    found.then(|| Done {}.into()).ok_or_else(|| {
                        Failure::new(
                            ErrorCode::NotFound,
                            format!("no request {} is without its reply", cancel.request),
                        )
                    }),
                );
            }
            Request::Subscribe(_) if self.subscribed => {
                self.answer(
                    id,
                    Err(Failure::new(
                        ErrorCode::Busy,
                        "this connection has its subscription already",
                    )),
                );
            }
            Request::Subscribe(subscribe) => {
                self.subscribed = true;
                let events = self.shared.events.clone();
                events.subscribe(&self.outbox, subscribe.after, |next| {
                    self.answer(id, Ok(Subscribed { next }.into()));
                });
            }
            request if self.requests.count() >= REQUESTS => {
                self.answer(
                    id,
                    Err(Failure::new(
                        ErrorCode::TooMany,
                        format!(
                            "{REQUESTS} requests wait for their replies before {}",
                            request.word()
                        ),
                    )),
                );
            }
            request => match self.requests.add(id, &self.outbox) {
                Some(reply) => self.shared.handler.handle(Asked {
                    request,
                    peer: self.peer,
                    reply,
                }),
                // Two replies with one id could not be told apart.
                None => self.outbox.cut(&Failure::new(
                    ErrorCode::Malformed,
                    format!("the id {id} is that of a request that has no reply yet"),
                )),
            },
        }
    }

    fn answer(&self, id: u64, outcome: Result<Answer, Failure>) {
        if let Ok(line) = line::reply(id, &outcome) {
            self.outbox.put(line);
        }
    }

    /// The client has closed its sending side, as `printf ... | socat` does: it still reads.
    async fn until_nobody_waits(&self, from: &OwnedReadHalf) {
        let satisfied = async {
            self.requests.all_answered().await;
            if self.subscribed {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = satisfied => {}
            _ = hung_up(from) => {}
        }
    }
}

/// Waits until the other end is closed for both directions. Reading alone cannot tell, and a
/// stream to which nothing is written would stay for ever.
async fn hung_up(stream: &OwnedReadHalf) -> io::Result<()> {
    // Its own registration: clearing what is known of the stream would mislead its writer.
    let other = stream.as_ref().as_fd().try_clone_to_owned()?;
    let other = UnixStream::from_std(std::os::unix::net::UnixStream::from(other))?;
    loop {
        if other.ready(Interest::WRITABLE).await?.is_write_closed() {
            return Ok(());
        }
        // It can be written to, as nearly always. The next news is waited for.
        let clear = || -> io::Result<()> { Err(io::ErrorKind::WouldBlock.into()) };
        let _ = other.try_io(Interest::WRITABLE, clear);
    }
}

/// The lines of a client.
#[derive(Default)]
struct Lines {
    buffer: Vec<u8>,
    /// So much of the buffer was given out as a line.
    taken: usize,
    /// So much of it is known to have no newline.
    searched: usize,
}

enum LineError {
    TooLong,
    Broken,
}

impl Lines {
    /// The next line with its newline; `None` when there are no more. What comes after the last
    /// newline is no line. Nothing is lost when this is dropped half-way.
    async fn next(&mut self, from: &mut OwnedReadHalf) -> Result<Option<&[u8]>, LineError> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > CHUNK {
            // Idle clients are many and long lines are rare.
            self.buffer = Vec::new();
        }
        loop {
            let rest = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                self.taken = self.searched + at + 1;
                self.searched = 0;
                if self.taken > LINE_BYTES {
                    return Err(LineError::TooLong);
                }
                return Ok(self.buffer.get(..self.taken));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() >= LINE_BYTES {
                return Err(LineError::TooLong);
            }
            self.buffer.reserve(CHUNK);
            match from.read_buf(&mut self.buffer).await {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(LineError::Broken),
            }
        }
    }
}
