//! How does the server live and end?

use crate::answer::Site;
use crate::error::ServeError;
use crate::folder::Folder;
use crate::options::Options;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::convert::Infallible;
use std::future::pending;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tine_cluster::worker::Worker;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;

/// So long a client that keeps its connection may be silent and still hears, in an answer, that it
/// is closed. After that it is closed without a word.
const FAREWELL: Duration = Duration::from_millis(500);
/// A pause after accept(2) has failed for want of something that others may give back.
const PAUSE: Duration = Duration::from_millis(200);
/// Threads that wait for the disk.
const DISK_THREADS: usize = 32;
/// The head of a request may not be larger.
const HEAD_BYTES: usize = 32 * 1024;
const HEADERS: usize = 100;

/// Serves a folder until the process is to end: as a worker, if there is a cluster, on the port
/// that it shares, until the primary asks it to leave or is gone; else by itself. At SIGINT or
/// SIGTERM it ends when what was begun is answered; at the second one at once.
///
/// Once it listens it says so on the standard output, and to whoever started it with a channel by
/// the message `ready`.
///
/// # Errors
/// When the folder, the address or the process is not as it must be. What goes wrong with a single
/// connection or file ends nothing.
pub fn run(options: Options) -> Result<(), ServeError> {
    let system = |doing| move |source| ServeError::System { doing, source };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(DISK_THREADS)
        .build()
        .map_err(system("starting the event loop"))?;
    let outcome = runtime.block_on(async {
        let folder = Folder::new(&options.folder).map_err(|source| ServeError::Folder {
            folder: options.folder.clone(),
            source,
        })?;
        let worker = Worker::from_env().map_err(system("joining the cluster"))?;
        let ending = Ending::new(worker.clone().filter(|worker| worker.id().is_some()))
            .map_err(system("waiting for signals"))?;
        let listener = listen(&options, &ending).await?;
        let address = listener.address().map_err(system("asking for the port"))?;
        let said = format!("serving {} on http://{address}\n", folder.root().display());
        // Nobody need listen to it.
        let _ = io::stdout().write_all(said.as_bytes());
        if let Some(worker) = &worker {
            // Whoever does not listen need not hear it.
            let _ = worker.send("ready").await;
        }
        serve(Arc::new(Site::new(options, folder)), listener, ending).await;
        Ok(())
    });
    // Reads of a disk that does not answer are not waited for.
    runtime.shutdown_background();
    outcome
}

/// What tells the server to end.
enum Ending {
    Worker(Worker),
    Signals(Signal, Signal),
}

impl Ending {
    fn new(worker: Option<Worker>) -> io::Result<Self> {
        Ok(match worker {
            Some(worker) => Ending::Worker(worker),
            None => Ending::Signals(
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
            ),
        })
    }

    /// Resolves when the server is to end; of signals, at each one.
    async fn wanted(&mut self) {
        match self {
            Ending::Worker(worker) => worker.shutdown().await,
            Ending::Signals(interrupt, terminate) => {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            }
        }
    }

    /// Resolves when it is to end without waiting for anybody.
    async fn insisted(&mut self) {
        match self {
            // Its primary has its own way to insist.
            Ending::Worker(_) => pending().await,
            Ending::Signals(_, _) => self.wanted().await,
        }
    }
}

enum Listener {
    Shared(tine_cluster::worker::Listener),
    Own(TcpListener),
}

impl Listener {
    fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Listener::Shared(listener) => listener.local_addr(),
            Listener::Own(listener) => listener.local_addr(),
        }
    }

    async fn accept(&mut self) -> io::Result<TcpStream> {
        let accepted = match self {
            Listener::Shared(listener) => listener.accept().await,
            Listener::Own(listener) => listener.accept().await,
        };
        accepted.map(|(stream, _)| stream)
    }
}

async fn listen(options: &Options, ending: &Ending) -> Result<Listener, ServeError> {
    let Options { host, port, .. } = options;
    let failed = |source| ServeError::Listen {
        host: host.clone(),
        port: *port,
        source,
    };
    let unknown = |source| ServeError::Host {
        host: host.clone(),
        source,
    };
    let mut addresses = tokio::net::lookup_host((host.as_str(), *port))
        .await
        .map_err(unknown)?;
    let Some(address) = addresses.next() else {
        return Err(unknown(io::ErrorKind::NotFound.into()));
    };
    match ending {
        Ending::Worker(worker) => worker.listen(address).await.map(Listener::Shared),
        Ending::Signals(_, _) => TcpListener::bind(address).await.map(Listener::Own),
    }
    .map_err(failed)
}

async fn serve(site: Arc<Site>, mut listener: Listener, mut ending: Ending) {
    let graceful = GracefulShutdown::new();
    let most = most_connections();
    let places = Arc::new(Semaphore::new(most));
    loop {
        let accepted = async {
            // What finds no place waits in the kernel, or goes to another worker.
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = ending.wanted() => break,
        };
        match accepted {
            Ok(stream) => {
                let connection = carry(site.clone(), stream, graceful.watcher());
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) if is_the_end(&error) => break,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    drop(listener);
    site.leave();
    let everybody = u32::try_from(most).unwrap_or(u32::MAX);
    let farewell = async {
        let _ = tokio::time::timeout(FAREWELL, places.acquire_many(everybody)).await;
        let _ = tokio::time::timeout(site.options().grace, graceful.shutdown()).await;
    };
    tokio::select! {
        () = farewell => {}
        () = ending.insisted() => {}
    }
}

/// Answers on one connection until it ends, or everybody is to leave.
async fn carry(site: Arc<Site>, stream: TcpStream, everybody: Watcher) {
    let options = site.options();
    limit_stalls(&stream, options.stall_timeout);
    // Answers are written whole; a client that waits for the end of one must not wait for more.
    let _ = stream.set_nodelay(true);
    let head_timeout = options.head_timeout;
    let service = service_fn(move |request| {
        let answer = site.clone().answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // A client that breaks off is its own affair.
    let _ = everybody.watch(connection).await;
}

/// The kernel ends the connection of a client that takes nothing for so long.
#[cfg(target_os = "linux")]
fn limit_stalls(stream: &TcpStream, limit: Duration) {
    let limit = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
    // Without it there is still the limit to the number of connections.
    let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, limit);
}

#[cfg(not(target_os = "linux"))]
fn limit_stalls(_: &TcpStream, _: Duration) {}

/// As many as have a descriptor for a file each.
fn most_connections() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(usize::MAX);
    (limit.saturating_sub(64) / 3).clamp(8, 100_000)
}

/// Whether no connection can come any more, and not only this one has failed.
fn is_the_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected | io::ErrorKind::InvalidInput
    )
}
