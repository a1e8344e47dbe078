//! The other end of a channel.

use super::super::{Listener, Worker};
use serde_json::Value;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;
use tine_ipc::encode::{self, NativeKind};
use tine_ipc::unix::{Flushed, Received, flush, receive};
use tine_ipc::{Act, Body, Channel, Cluster, Event, Limits, Serialization, SocketName, Token};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream, UnixStream};

const DEADLINE: Duration = Duration::from_secs(20);

/// The other end of a worker's channel, step by step.
pub(super) struct Primary {
    pub(super) socket: UnixStream,
    pub(super) channel: Channel,
    buffer: Vec<u8>,
}

pub(super) fn pair(id: Option<u32>) -> (Worker, Primary) {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let worker = Worker::new(OwnedFd::from(theirs), id, Serialization::Json).unwrap();
    // The tests must not end with the primary that they close.
    worker.outlive_primary();
    let primary = Primary {
        socket: UnixStream::from_std(ours).unwrap(),
        channel: Channel::new(Limits::default()),
        buffer: vec![0; 4096],
    };
    (worker, primary)
}

pub(super) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {DEADLINE:?} for {what}"),
    }
}

/// Polls once: whether it is ready.
pub(super) fn is_ready(future: Pin<&mut impl Future>) -> bool {
    future
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_ready()
}

impl Primary {
    /// Writes as much as the socket takes: whether that was all.
    pub(super) fn write(&mut self) -> bool {
        flush(self.socket.as_fd(), &mut self.channel, |_| Ok(0)).unwrap() == Flushed::All
    }

    pub(super) async fn write_all(&mut self) {
        while !self.write() {
            within("the worker to read", self.socket.ready(Interest::WRITABLE))
                .await
                .unwrap();
            let full = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
            if !self.write() {
                let _ = self.socket.try_io(Interest::WRITABLE, full);
            }
        }
    }

    pub(super) async fn say(&mut self, value: &Value) {
        let body = Body::write(value, Serialization::Json).unwrap();
        self.channel.send(&body).unwrap();
        self.write_all().await;
    }

    /// The next thing that the worker says; `None` when it has closed the channel.
    pub(super) async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.channel.poll_event() {
                return Some(event);
            }
            within("the worker to say something", self.socket.readable())
                .await
                .unwrap();
            let read = self.socket.try_io(Interest::READABLE, || {
                match receive(self.socket.as_fd(), &mut self.channel, &mut self.buffer).unwrap() {
                    Received::WouldBlock => Err(io::ErrorKind::WouldBlock.into()),
                    other => Ok(other),
                }
            });
            self.write();
            if matches!(read, Ok(Received::Closed)) {
                return None;
            }
        }
    }

    pub(super) async fn cluster(&mut self) -> Cluster {
        match self.event().await {
            Some(Event::Cluster(message, None)) => *message,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn message(&mut self) -> Value {
        match self.event().await {
            Some(Event::Message { body, .. }) => body.read().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Hears that the worker is online, and the question that comes next: its number and key.
    pub(super) async fn question(&mut self) -> (i64, String) {
        loop {
            let message = self.cluster().await;
            match message.act {
                Act::Online => {}
                Act::QueryServer(query) => return (message.seq.unwrap(), query.key()),
                other => panic!("{other:?}"),
            }
        }
    }

    pub(super) async fn pass_on(&mut self, key: &str, seq: i64) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (ours, _) = listener.accept().await.unwrap();
        let key = serde_json::to_string(key).unwrap();
        self.channel.send_cluster_handle(
            &encode::new_connection(&key, seq),
            NativeKind::TcpConnection,
            Arc::new(ours.into_std().unwrap().into()),
            Token(1000),
        );
        self.write_all().await;
        client
    }

    pub(super) async fn grant_round_robin(&mut self, ack: i64, key: &str) {
        let name = SocketName {
            address: "127.0.0.1".into(),
            family: "IPv4".into(),
            port: 3000,
        };
        let reply = encode::round_robin_reply(key, ack, 0, Some(&name), None);
        self.channel.send_cluster(&reply);
        self.write_all().await;
    }

    /// Sends a message with a socket as Node does when a server of its own has accepted it.
    pub(super) async fn give(&mut self, socket: impl AsFd, key: Option<&str>) {
        self.write_all().await;
        let message = serde_json::json!({
            "cmd": "NODE_HANDLE", "type": "net.Socket", "msg": "yours", "key": key,
        });
        let line = format!("{message}\n");
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = rustix::net::SendAncillaryBuffer::new(&mut space);
        let descriptors = [socket.as_fd()];
        ancillary.push(rustix::net::SendAncillaryMessage::ScmRights(&descriptors));
        let bytes = [io::IoSlice::new(line.as_bytes())];
        let flags = rustix::net::SendFlags::empty();
        loop {
            match rustix::net::sendmsg(&self.socket, &bytes, &mut ancillary, flags) {
                Ok(written) => return assert_eq!(written, line.len()),
                Err(rustix::io::Errno::AGAIN) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Skips acknowledgements of handles.
    pub(super) async fn answer(&mut self) -> Cluster {
        loop {
            match self.event().await {
                Some(Event::HandleTaken(_)) => {}
                Some(Event::Cluster(message, None)) => return *message,
                other => panic!("{other:?}"),
            }
        }
    }
}

pub(super) const ADDRESS: &str = "127.0.0.1:3000";

/// A worker whose listener the primary accepts for.
pub(super) async fn listening(worker: &Worker, primary: &mut Primary) -> (Listener, String) {
    let asked = tokio::spawn({
        let worker = worker.clone();
        async move { worker.listen(ADDRESS.parse().unwrap()).await }
    });
    let (ack, key) = primary.question().await;
    primary.grant_round_robin(ack, &key).await;
    let listener = within("the listener", asked).await.unwrap().unwrap();
    assert!(matches!(primary.cluster().await.act, Act::Listening(_)));
    (listener, key)
}
