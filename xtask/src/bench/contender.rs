//! Who is measured, how each is started on a free port, when it is ready, and how it is stopped.
#![allow(clippy::disallowed_methods)] // a chore is not part of the product: it may start programs itself

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::process::Signal;

use super::tools::{self, Tools};
use super::{nginx, sample};
use crate::{Result, cleanup, proc};

const READY_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The ways to run the same server that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    Node,
    NodeClusterRr,
    NodeClusterNone,
    Pm2,
    Nginx,
    Limit,
    TineRr,
    TineShared,
    TineKernel,
}

impl Contender {
    pub(crate) const ALL: [Contender; 9] = [
        Contender::Node,
        Contender::NodeClusterRr,
        Contender::NodeClusterNone,
        Contender::Pm2,
        Contender::Nginx,
        Contender::Limit,
        Contender::TineRr,
        Contender::TineShared,
        Contender::TineKernel,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Contender::Node => "node",
            Contender::NodeClusterRr => "node-cluster-rr",
            Contender::NodeClusterNone => "node-cluster-none",
            Contender::Pm2 => "pm2",
            Contender::Nginx => "nginx",
            Contender::Limit => "limit",
            Contender::TineRr => "tine-rr",
            Contender::TineShared => "tine-shared",
            Contender::TineKernel => "tine-kernel",
        }
    }

    /// What it is, for W workers.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Contender::Node => "one plain process, no matter how many workers the others have",
            Contender::NodeClusterRr => "node:cluster, SCHED_RR (its default)",
            Contender::NodeClusterNone => "node:cluster, SCHED_NONE",
            Contender::Pm2 => "pm2 start -i W (cluster mode)",
            Contender::Nginx => {
                "nginx with W workers, proxy to W processes on ports, keepalive upstream"
            }
            Contender::Limit => {
                "W processes on inherited SO_REUSEPORT sockets, the kernel's hash, no manager at all"
            }
            Contender::TineRr => "tine run -i W --balance rr",
            Contender::TineShared => "tine run -i W --balance shared",
            Contender::TineKernel => "tine run -i W --balance kernel",
        }
    }

    pub(crate) fn is_tine(self) -> bool {
        matches!(
            self,
            Contender::TineRr | Contender::TineShared | Contender::TineKernel
        )
    }
}

/// A contender that is up: every worker listens and the port answers.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) port: u16,
    /// Pids, ascending.
    pub(crate) workers: Vec<u32>,
    pub(crate) ready_after: Duration,
    children: Vec<Child>,
    stop_with: Option<Command>,
}

impl Running {
    /// Everything that was started and is no worker: primary, manager, proxy.
    pub(crate) fn primary(&self) -> Vec<u32> {
        let all = proc::descendants(std::process::id());
        all.into_iter()
            .filter(|pid| !self.workers.contains(pid))
            .collect()
    }

    /// Asks it to end. False if it did not in time; whatever is left then is for the caller to kill.
    pub(crate) fn stop(mut self) -> bool {
        if let Some(command) = &mut self.stop_with {
            let _ = cleanup::run(command, STOP_LIMIT);
        }
        for child in &self.children {
            cleanup::signal(child.id(), Signal::INT);
        }
        cleanup::wait_for_descendants(STOP_LIMIT)
    }
}

/// Starts a contender with its files in `folder` (created). On failure the caller kills what is left.
pub(crate) fn start(
    contender: Contender,
    tools: &Tools,
    workers: usize,
    folder: &Path,
) -> Result<Running> {
    let started = Instant::now();
    let mut start = Start::new(tools, workers, folder)?;
    let port = start.port;
    let hello = start.server("hello.js");
    let mut expected = workers;
    match contender {
        Contender::Node => {
            expected = 1;
            let mut command = start.command(&tools.node);
            command.arg(hello).env("PORT", port.to_string());
            start.spawn(command)?;
        }
        Contender::NodeClusterRr => start.node_cluster("rr")?,
        Contender::NodeClusterNone => start.node_cluster("none")?,
        Contender::Pm2 => start.pm2()?,
        Contender::Nginx => {
            let nginx = tools.nginx.clone()?;
            let mut upstreams = Vec::new();
            for _ in 0..workers {
                let upstream = free_port()?;
                upstreams.push(upstream);
                let mut command = start.command(&tools.node);
                command.arg(&hello).env("PORT", upstream.to_string());
                start.spawn(command)?;
            }
            let configuration = folder.join("nginx.conf");
            write(
                &configuration,
                &nginx::configuration(folder, workers, port, &upstreams),
            )?;
            let mut command = start.command(&nginx);
            command.arg("-p").arg(folder).arg("-c").arg(configuration);
            start.spawn(command)?;
        }
        Contender::Limit => {
            for _ in 0..workers {
                start.with_inherited_socket()?;
            }
        }
        Contender::TineRr => start.tine("rr")?,
        Contender::TineShared => start.tine("shared")?,
        Contender::TineKernel => start.tine("kernel")?,
    }
    let workers = start.wait_until_ready(expected, contender.is_tine())?;
    Ok(Running {
        port,
        workers,
        ready_after: started.elapsed(),
        children: start.children,
        stop_with: start.stop_with,
    })
}

struct Start<'a> {
    tools: &'a Tools,
    workers: usize,
    folder: &'a Path,
    port: u16,
    children: Vec<Child>,
    stop_with: Option<Command>,
}

impl<'a> Start<'a> {
    fn new(tools: &'a Tools, workers: usize, folder: &'a Path) -> Result<Start<'a>> {
        let ready = folder.join("ready");
        fs::create_dir_all(&ready).map_err(|e| format!("creating {}: {e}", ready.display()))?;
        let (port, children) = (free_port()?, Vec::new());
        Ok(Start {
            tools,
            workers,
            folder,
            port,
            children,
            stop_with: None,
        })
    }

    fn server(&self, name: &str) -> PathBuf {
        tools::repository().join("bench/servers").join(name)
    }

    /// A program without what the caller's environment would tell a Node process or a manager.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for name in [
            "NODE_OPTIONS",
            "NODE_CHANNEL_FD",
            "NODE_UNIQUE_ID",
            "NODE_CLUSTER_SCHED_POLICY",
            "LISTEN_FD",
            "LISTEN_FDS",
            "PORT",
        ] {
            command.env_remove(name);
        }
        command.env("READY_DIR", self.folder.join("ready"));
        command
            .env("PM2_HOME", self.folder.join("pm2"))
            .env("TINE_HOME", self.folder.join("tine"));
        command
    }

    fn spawn(&mut self, mut command: Command) -> Result<()> {
        self.spawn_with_stdin(&mut command, Stdio::null())
    }

    fn spawn_with_stdin(&mut self, command: &mut Command, stdin: Stdio) -> Result<()> {
        let path = self.log();
        let open = || File::options().create(true).append(true).open(&path);
        let logs = open().and_then(|out| Ok((out, open()?)));
        let (out, err) = logs.map_err(|e| format!("opening {}: {e}", path.display()))?;
        command.stdin(stdin).stdout(out).stderr(err);
        self.children.push(cleanup::spawn(command)?);
        Ok(())
    }

    fn node_cluster(&mut self, policy: &str) -> Result<()> {
        let mut command = self.command(&self.tools.node);
        command
            .arg(self.server("cluster.js"))
            .env("PORT", self.port.to_string());
        command.env("WORKERS", self.workers.to_string());
        command.env("NODE_CLUSTER_SCHED_POLICY", policy);
        self.spawn(command)
    }

    /// The command line tool leaves a daemon behind and ends; `pm2 kill` ends the daemon.
    fn pm2(&mut self) -> Result<()> {
        let pm2 = self.tools.pm2.clone()?;
        let pm2_command = |start: &Start<'_>| {
            let mut command = start.command(&start.tools.node);
            command.arg(&pm2).env("PM2_DISABLE_VERSION_CHECK", "true");
            command
        };
        let mut kill = pm2_command(self);
        kill.arg("kill");
        self.stop_with = Some(kill);
        let mut command = pm2_command(self);
        command
            .arg("start")
            .arg(self.server("hello.js"))
            .args(["--name", "hello", "-i"]);
        command
            .arg(self.workers.to_string())
            .env("PORT", self.port.to_string());
        self.spawn(command)?;
        let Some(mut tool) = self.children.pop() else {
            return Ok(());
        };
        let mut status = None;
        cleanup::wait_until(READY_LIMIT, || {
            status = tool
                .try_wait()
                .map_err(|e| format!("waiting for pm2 start: {e}"))?;
            Ok(status.is_some())
        })?;
        match status {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("pm2 start: {status}: {}", self.last_words())),
            None => Err(format!("pm2 start did not end within {READY_LIMIT:?}")),
        }
    }

    fn tine(&mut self, balance: &str) -> Result<()> {
        let mut command = self.command(&self.tools.tine.clone()?);
        command
            .arg("run")
            .arg(self.server("hello.js"))
            .arg("-i")
            .arg(self.workers.to_string());
        command
            .args(["--balance", balance, "--interpreter"])
            .arg(&self.tools.node);
        command.env("PORT", self.port.to_string());
        self.spawn(command)
    }

    /// The socket travels as stdin, and a shell moves it to 3 before it becomes node: no code runs between
    /// fork and exec here.
    fn with_inherited_socket(&mut self) -> Result<()> {
        let socket = reuseport_listener(self.port)?;
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(["-c", r#"exec "$@" 3<&0 </dev/null"#, "sh"]);
        command
            .arg(&self.tools.node)
            .arg(self.server("hello.js"))
            .env("LISTEN_FD", "3");
        self.spawn_with_stdin(&mut command, Stdio::from(socket))
    }

    /// Waits for `expected` living workers that listen, for an answer from one of them through the port,
    /// and where the program says so itself, for its word. The workers' pids.
    fn wait_until_ready(&mut self, expected: usize, says_ready: bool) -> Result<Vec<u32>> {
        let mut workers = Vec::new();
        let mut missing = String::new();
        let ready = cleanup::wait_until(READY_LIMIT, || {
            for child in &mut self.children {
                if let Ok(Some(status)) = child.try_wait() {
                    let words = last_words(&self.folder.join("log"));
                    return Err(format!("ended before it was ready ({status}): {words}"));
                }
            }
            workers = self.listening();
            missing = if workers.len() != expected {
                format!("{} of {expected} workers listen", workers.len())
            } else if says_ready && !says(&self.folder.join("log"), "ready") {
                "it did not say that it is ready".to_owned()
            } else {
                match sample::one(self.port) {
                    Ok(pid) if workers.contains(&pid) => return Ok(true),
                    Ok(pid) => format!("port {} is answered by {pid}, not ours", self.port),
                    Err(reason) => reason,
                }
            };
            Ok(false)
        })?;
        if ready {
            return Ok(workers);
        }
        Err(format!(
            "not ready within {READY_LIMIT:?}: {missing}: {}",
            self.last_words()
        ))
    }

    fn listening(&self) -> Vec<u32> {
        let Ok(entries) = fs::read_dir(self.folder.join("ready")) else {
            return Vec::new();
        };
        let said: Vec<u32> = entries
            .flatten()
            .filter_map(|e| e.file_name().to_str()?.parse().ok())
            .collect();
        let mut living = proc::descendants(std::process::id());
        living.retain(|pid| said.contains(pid));
        living
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn last_words(&self) -> String {
        last_words(&self.log())
    }
}

/// A port below the ephemeral range, so that no client's connection can be in its way, and another one at
/// each call, so that no contender meets the closed connections of the one before.
fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        if port >= 32_000 {
            return Err("looking for a free port: none from 20000 to 32000".to_owned());
        }
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
}

/// The backlog is Node's own default.
fn reuseport_listener(port: u16) -> Result<OwnedFd> {
    let create = || {
        let flags = SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        sockopt::set_socket_reuseport(&socket, true)?;
        rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
        rustix::net::listen(&socket, 511)?;
        Ok(socket)
    };
    create().map_err(|e: rustix::io::Errno| format!("listening on 127.0.0.1:{port}: {e}"))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|e| format!("writing {}: {e}", path.display()))
}

/// Whether a line of the log has this word.
fn says(log: &Path, word: &str) -> bool {
    let text = fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&text)
        .split(|c: char| !c.is_alphanumeric())
        .any(|w| w == word)
}

/// The end of a log on one line, for an error; without the frames of a stack, which hide its message.
fn last_words(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let tells = |line: &&str| !line.is_empty() && !line.starts_with("at ");
    let lines: Vec<&str> = text.lines().map(str::trim).filter(tells).collect();
    if lines.is_empty() {
        return "it printed nothing".to_owned();
    }
    lines[lines.len().saturating_sub(6)..].join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for a in Contender::ALL {
            assert_eq!(
                Contender::ALL
                    .iter()
                    .filter(|b| b.name() == a.name())
                    .count(),
                1
            );
        }
    }

    #[test]
    fn two_sockets_share_a_port_and_a_third_without_the_flag_may_not() {
        let port = free_port().unwrap();
        let _both = (
            reuseport_listener(port).unwrap(),
            reuseport_listener(port).unwrap(),
        );
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err());
        assert_ne!(free_port().unwrap(), port);
    }

    #[test]
    fn ready_is_a_word_of_its_own() {
        let log = std::env::temp_dir().join(format!("xtask-says-{}", std::process::id()));
        fs::write(
            &log,
            "error: the port is already in use\n    at listen (a.js:1:1)\n\n",
        )
        .unwrap();
        assert!(!says(&log, "ready"));
        assert_eq!(last_words(&log), "error: the port is already in use");
        fs::write(&log, "[tine] ready: 2 workers\n").unwrap();
        assert!(says(&log, "ready"));
        fs::remove_file(&log).unwrap();
        assert_eq!(last_words(&log), "it printed nothing");
    }
}
