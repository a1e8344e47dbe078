//! Who reads the channel, and who writes what could not be written at once? One task.

use super::shared::Shared;
use super::state::{Blocked, State};
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tine_ipc::unix::Received;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::Instant;

/// One read. Node reads as much.
const BUFFER: usize = 64 * 1024;

/// Reads in a row before other tasks have their turn.
const TURN: u32 = 16;

/// The pause before handles are tried again that were too many in flight: no event of this socket
/// tells when others have been read.
const LATER: Duration = Duration::from_millis(2);

/// The pause before a sender of sockets that waits until they are closed is looked after again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// What no event tells of, and when it is looked at again.
#[derive(Default)]
struct Timers {
    handles: Option<Instant>,
    sockets: Option<Instant>,
}

impl Timers {
    /// Does what is due, and sets what is to be.
    fn look(&mut self, state: &mut State) {
        let now = Instant::now();
        let is_due = |at: &Instant| *at <= now;
        if self.handles.take_if(|at| is_due(at)).is_some()
            && state.blocked == Some(Blocked::TooManyHandles)
        {
            state.blocked = None;
        }
        if self.sockets.take_if(|at| is_due(at)).is_some() {
            state.look_for_closed_sockets();
        }
        let set = |timer: &mut Option<Instant>, wanted: bool, pause| match wanted {
            true => drop(timer.get_or_insert(now + pause)),
            false => *timer = None,
        };
        set(
            &mut self.handles,
            state.blocked == Some(Blocked::TooManyHandles),
            LATER,
        );
        set(&mut self.sockets, state.claims.is_awaited(), ASK_AGAIN);
    }

    /// Whether one is missing.
    fn must_look(&self, state: &State) -> bool {
        self.handles.is_none() && state.blocked == Some(Blocked::TooManyHandles)
            || self.sockets.is_none() && state.claims.is_awaited()
    }

    async fn due(&self) {
        match self.handles.into_iter().chain(self.sockets).min() {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

/// Why the task has stopped going round.
enum Stop {
    /// The program must read its messages first.
    Paused,
    /// Something is to be looked at again a moment later.
    Later,
    /// All that was to be said is said.
    Finished,
    /// The primary has closed its end, or what it says is not the protocol.
    Gone,
}

/// Starts the task. It ends with the channel.
pub(super) fn start(shared: &Arc<Shared>, socket: Arc<UnixStream>) {
    let ending = Ending(shared.clone());
    shared.runtime.spawn(async move {
        let gone = run(&ending.0, &socket).await;
        let mut state = ending.0.lock();
        if gone {
            state.primary_gone();
        }
        state.close();
        ending.0.give_back(state);
    });
}

/// Closes the channel also when the runtime is shut down under it.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.close();
        self.0.give_back(state);
    }
}

/// Whether the channel came to its end because the primary is gone.
async fn run(shared: &Shared, socket: &UnixStream) -> bool {
    let mut buffer = vec![0; BUFFER];
    let mut may_pause = true;
    let mut timers = Timers::default();
    loop {
        timers.look(&mut shared.lock());
        let mut steps = Steps {
            shared,
            socket,
            timers: &timers,
            buffer: &mut buffer,
            may_pause,
            reads: 0,
            others_first: false,
        };
        let stop = tokio::select! {
            biased;
            stop = poll_fn(|cx| steps.poll(cx)) => stop,
            () = timers.due() => Stop::Later,
        };
        match stop {
            Stop::Finished => return false,
            Stop::Gone => return true,
            Stop::Later => {}
            Stop::Paused => {
                // Nothing is read, but the end of the primary is still to be noticed. It comes
                // with this interest, without the readiness that is there all the time.
                let closed = socket.ready(CLOSED);
                let go_on = poll_fn(|cx| shared.lock().poll_unpaused(cx));
                tokio::select! {
                    _ = closed => may_pause = false,
                    () = go_on => {}
                    () = timers.due() => {}
                }
            }
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOSED: Interest = Interest::PRIORITY;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOSED: Interest = Interest::READABLE;

struct Steps<'a> {
    shared: &'a Shared,
    socket: &'a UnixStream,
    timers: &'a Timers,
    buffer: &'a mut [u8],
    may_pause: bool,
    reads: u32,
    /// What was read last has been left to the program for a moment: its answer does not wait until
    /// all has been read, and what it says about a handle goes in one write with our
    /// acknowledgement.
    others_first: bool,
}

fn let_others_go_first(cx: &mut Context<'_>) -> Poll<Stop> {
    // The runtime wakes this task after all that can run now, also after the future of `main`.
    let waits = pin!(tokio::task::yield_now()).poll(cx);
    debug_assert!(waits.is_pending());
    Poll::Pending
}

impl Steps<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Stop> {
        loop {
            let mut state = self.shared.lock();
            state.flush();
            // Also when it is another thread that could not write.
            if self.timers.must_look(&state) {
                self.shared.give_back(state);
                return Poll::Ready(Stop::Later);
            }
            if state.socket.is_none() || state.is_finished() {
                return Poll::Ready(Stop::Finished);
            }
            if state.blocked == Some(Blocked::Full)
                && let Poll::Ready(ready) = self.socket.poll_write_ready(cx)
            {
                if ready.is_err() {
                    return Poll::Ready(Stop::Gone);
                }
                // Forget that it was writable, so that the next wait is a real one.
                let _ = self.socket.try_io(Interest::WRITABLE, || {
                    state.blocked = None;
                    state.flush();
                    match state.blocked {
                        Some(Blocked::Full) => Err(io::ErrorKind::WouldBlock.into()),
                        Some(Blocked::TooManyHandles) | None => Ok(()),
                    }
                });
                self.shared.give_back(state);
                continue;
            }
            if self.may_pause && state.pause() {
                self.shared.give_back(state);
                return Poll::Ready(Stop::Paused);
            }
            state.register_task(cx.waker());
            match self.socket.poll_read_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Stop::Gone),
                Poll::Pending => {
                    self.shared.give_back(state);
                    return Poll::Pending;
                }
            }
            let mut open = true;
            let _ = self.socket.try_io(Interest::READABLE, || {
                let received =
                    tine_ipc::unix::receive(self.socket.as_fd(), &mut state.channel, self.buffer);
                match received {
                    Ok(Received::Bytes(_)) => Ok(()),
                    // Forget that it was readable; its end would still be known.
                    Ok(Received::All(_) | Received::WouldBlock) => {
                        Err(io::ErrorKind::WouldBlock.into())
                    }
                    Ok(Received::Closed) | Err(_) => {
                        open = false;
                        Ok(())
                    }
                }
            });
            while let Some(event) = state.channel.poll_event() {
                state.heard(event);
            }
            let others_have_work = !state.wakes.is_empty() || state.channel.queued() > 0;
            self.shared.give_back(state);
            if !open {
                return Poll::Ready(Stop::Gone);
            }
            self.reads += 1;
            if others_have_work && !self.others_first || self.reads >= TURN {
                self.others_first = others_have_work;
                self.reads = 0;
                return let_others_go_first(cx);
            }
            self.others_first = false;
        }
    }
}
