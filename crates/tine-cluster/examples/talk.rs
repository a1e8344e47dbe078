//! A worker that does what its primary's messages say: everything a worker can do, in one file.
//!
//! Its primary may be a Node program:
//!
//! ```js
//! const cluster = require('cluster');
//! process.execPath = 'target/debug/examples/talk';
//! const worker = cluster.fork();
//! worker.on('message', console.log);
//! worker.send({ do: 'listen', port: 3000 });
//! ```
//!
//! What is no task for it comes back as it is.

use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use tine_cluster::worker::{ListenOptions, UdpOptions, UnixOptions, Worker};
use tine_cluster::{Handle, Message};
use tokio::task::JoinHandle;

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
enum Task {
    /// Serve a TCP port. With `hold`, connections wait and are never accepted.
    #[serde(rename_all = "camelCase")]
    Listen {
        port: u16,
        host: Option<IpAddr>,
        #[serde(default)]
        only_v6: bool,
        backlog: Option<u32>,
        #[serde(default)]
        hold: bool,
    },
    /// Serve a unix socket.
    ListenUnix {
        path: PathBuf,
        #[serde(default)]
        open: bool,
    },
    /// Answer datagrams.
    #[serde(rename_all = "camelCase")]
    Udp {
        port: u16,
        host: Option<IpAddr>,
        #[serde(default)]
        only_v6: bool,
        #[serde(default)]
        reuse: bool,
    },
    /// Stop serving a port or path.
    Close { name: String },
    /// Send so many numbered messages.
    Count { to: u32 },
    /// Receive so many numbered messages, and say whether they came in order.
    Collect { to: u32 },
    /// Give the primary a socket.
    Give { what: String, port: Option<u16> },
    /// Ask the primary something.
    Ask { question: String },
    /// Say how things stand.
    State,
    /// Leave the cluster, and live on until told to exit by a closing channel.
    Disconnect,
    /// Close the channel.
    CloseChannel,
    /// Exit.
    Exit { code: i32 },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(worker) = Worker::from_env()? else {
        return Err("start me as a worker of a cluster".into());
    };
    let mut talk = Talk {
        worker: worker.clone(),
        serving: HashMap::new(),
    };
    let mut messages = worker.messages();
    let ordinary = std::env::args().any(|word| word == "--ordinary");
    if ordinary {
        // A program that knows nothing of clusters but how to listen and to talk.
        while let Some(message) = messages.next().await {
            talk.heard(message, &mut messages).await?;
        }
        println!("worker {:?} has read all", worker.id());
        return std::future::pending().await;
    }
    loop {
        tokio::select! {
            Some(message) = messages.next() => talk.heard(message, &mut messages).await?,
            () = worker.shutdown() => break,
        }
    }
    for (_, serving) in talk.serving.drain() {
        serving.abort();
        let _ = serving.await;
    }
    println!(
        "worker {:?} leaves: {:?}, connected {}, meant {:?}",
        worker.id(),
        worker.shutdown_reason(),
        worker.is_connected(),
        worker.exited_after_disconnect()
    );
    Ok(())
}

struct Talk {
    worker: Worker,
    /// By port or path: what serves it. Aborting it drops its listener.
    serving: HashMap<String, JoinHandle<()>>,
}

impl Talk {
    async fn heard(
        &mut self,
        mut message: Message,
        messages: &mut tine_cluster::worker::Messages,
    ) -> Result<(), Box<dyn Error>> {
        if let Some(handle) = message.take_handle() {
            let greeting = format!("worker {} says hello", self.number());
            tokio::spawn(greet(handle, greeting));
            self.worker.send_body(message.body()).await?;
            return Ok(());
        }
        if let Some(request) = message.request() {
            match message.read::<f64>() {
                Ok(number) => self.worker.reply(request, &(number * 2.0)).await?,
                Err(_) => self.worker.refuse(request, "that is no number").await?,
            }
            return Ok(());
        }
        let Ok(task) = message.read::<Task>() else {
            self.worker.send_body(message.body()).await?;
            return Ok(());
        };
        if let Task::Collect { to } = task {
            let mut in_order = true;
            for expected in 0..to {
                let Some(message) = messages.next().await else {
                    return Ok(());
                };
                in_order &= message.read::<Numbered>()?.n == expected;
            }
            let collected = json!({ "collected": to, "inOrder": in_order });
            self.worker.send(&collected).await?;
            return Ok(());
        }
        let answer = match self.task(task).await {
            Ok(None) => return Ok(()),
            Ok(Some(answer)) => answer,
            Err(error) => json!({
                "error": error.to_string(),
                "errno": error.raw_os_error(),
                "kind": format!("{:?}", error.kind()),
            }),
        };
        // A worker that has just left has nobody to tell.
        let _ = self.worker.send(&answer).await;
        Ok(())
    }

    fn number(&self) -> u32 {
        self.worker.id().unwrap_or(0)
    }

    async fn task(&mut self, task: Task) -> io::Result<Option<serde_json::Value>> {
        let worker = &self.worker;
        let number = self.number();
        Ok(match task {
            Task::Listen {
                port,
                host,
                only_v6,
                backlog,
                hold,
            } => {
                let options = match host {
                    Some(host) => ListenOptions::tcp((host, port).into()),
                    None => ListenOptions::any(port),
                };
                let options = options.only_v6(only_v6);
                let options = match backlog {
                    Some(backlog) => options.backlog(backlog),
                    None => options,
                };
                let mut listener = worker.listen_with(options).await?;
                let port = listener.local_addr()?.port();
                let serve = async move {
                    if hold {
                        std::future::pending().await
                    }
                    while let Ok((stream, _client)) = listener.accept().await {
                        let _ = say(stream.into_std(), &format!("worker {number}"));
                    }
                };
                self.serving.insert(port.to_string(), tokio::spawn(serve));
                Some(json!({ "listening": port }))
            }
            Task::ListenUnix { path, open } => {
                let options = UnixOptions::new(&path);
                let options = if open {
                    options.readable_all().writable_all()
                } else {
                    options
                };
                let mut listener = worker.listen_unix_with(options).await?;
                let bound = listener.path().to_owned();
                let serve = async move {
                    while let Ok((stream, _client)) = listener.accept().await {
                        let _ = say(stream.into_std(), &format!("worker {number}"));
                    }
                };
                let name = path.display().to_string();
                self.serving.insert(name, tokio::spawn(serve));
                Some(json!({ "listening": bound }))
            }
            Task::Udp {
                port,
                host,
                only_v6,
                reuse,
            } => {
                let host = host.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
                let options = UdpOptions::new((host, port).into());
                let options = options.only_v6(only_v6).reuse_address(reuse);
                let socket = worker.bind_udp_with(options).await?;
                let port = socket.local_addr()?.port();
                let serve = async move {
                    let mut buffer = [0; 2048];
                    while let Ok((_, client)) = socket.recv_from(&mut buffer).await {
                        let answer = format!("worker {number}");
                        let _ = socket.send_to(answer.as_bytes(), client).await;
                    }
                };
                self.serving
                    .insert(format!("udp {port}"), tokio::spawn(serve));
                Some(json!({ "bound": port }))
            }
            Task::Close { name } => {
                if let Some(serving) = self.serving.remove(&name) {
                    serving.abort();
                    let _ = serving.await;
                }
                Some(json!({ "closed": name }))
            }
            Task::Count { to } => {
                for n in 0..to {
                    worker
                        .send(&json!({ "n": n }))
                        .await
                        .map_err(io::Error::other)?;
                }
                None
            }
            Task::Collect { .. } => None,
            Task::Give { what, port } => {
                let handle = socket(&what, port)?;
                let given = worker.send_with_handle(&json!({ "given": what }), handle);
                given.await.map_err(io::Error::other)?;
                Some(json!({ "acknowledged": what }))
            }
            Task::Ask { question } => {
                match worker.request::<_, serde_json::Value>(&question).await {
                    Ok(answer) => Some(json!({ "answer": answer })),
                    Err(error) => Some(json!({ "refused": error.to_string() })),
                }
            }
            Task::State => Some(json!({
                "id": worker.id(),
                "connected": worker.is_connected(),
                "meant": worker.exited_after_disconnect(),
                "reason": worker.shutdown_reason().map(|reason| format!("{reason:?}")),
            })),
            Task::Disconnect => {
                worker.disconnect().await;
                None
            }
            Task::CloseChannel => {
                worker.close().await;
                None
            }
            Task::Exit { code } => std::process::exit(code),
        })
    }
}

#[derive(Deserialize)]
struct Numbered {
    n: u32,
}

/// A socket of this process, to be given away.
fn socket(what: &str, port: Option<u16>) -> io::Result<Handle> {
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Ok(match what {
        "server" => std::net::TcpListener::bind(local(0))?.into(),
        "socket" => std::net::TcpStream::connect(local(port.unwrap_or(0)))?.into(),
        "udp" => std::net::UdpSocket::bind(local(0))?.into(),
        "unix" => {
            let (mine, yours) = std::os::unix::net::UnixStream::pair()?;
            say(Ok(mine), "from the other end")?;
            yours.into()
        }
        other => {
            let text = format!("there is no {other:?} to give");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
    })
}

/// Uses a socket that came with a message, once.
async fn greet(handle: Handle, greeting: String) -> io::Result<()> {
    match handle {
        Handle::TcpStream(stream) => say(Ok(stream), &greeting)?,
        Handle::UnixStream(stream) => say(Ok(stream), &greeting)?,
        Handle::TcpListener(listener) => {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            say(listener.accept().await?.0.into_std(), &greeting)?;
        }
        Handle::UnixListener(listener) => {
            let listener = tokio::net::UnixListener::from_std(listener)?;
            say(listener.accept().await?.0.into_std(), &greeting)?;
        }
        Handle::UdpSocket(socket) => {
            let socket = tokio::net::UdpSocket::from_std(socket)?;
            let mut buffer = [0; 2048];
            let (_, client) = socket.recv_from(&mut buffer).await?;
            socket.send_to(greeting.as_bytes(), client).await?;
        }
        _ => {}
    }
    Ok(())
}

/// Says one thing and closes. So few bytes always fit into a socket that nobody has written to.
fn say(stream: io::Result<impl io::Write>, text: &str) -> io::Result<()> {
    stream?.write_all(text.as_bytes())
}
