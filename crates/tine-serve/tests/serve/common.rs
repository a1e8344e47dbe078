//! A real server in a process of its own, and a client that may say anything.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use tine_cluster::{Cluster, Event};
use tine_serve::Options;
use tine_testkit::Program;
use tine_testkit::lines::Line;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const ROLE: &str = "SERVE_TEST_ROLE";

/// What this very program is, if it is not the test.
pub(crate) fn role() -> Option<ExitCode> {
    let outcome: Result<(), Box<dyn std::error::Error>> = match std::env::var(ROLE).ok()?.as_str() {
        "server" => server(),
        "primary" => primary(),
        other => panic!("no role {other}"),
    };
    Some(match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    })
}

fn server() -> Result<(), Box<dyn std::error::Error>> {
    let variable = |name: &str| std::env::var(name).ok();
    let milliseconds = |name: &str| {
        let number = variable(name).and_then(|value| value.parse().ok());
        number.map(Duration::from_millis)
    };
    let mut options = Options {
        host: "127.0.0.1".to_owned(),
        port: 0,
        hidden: variable("SERVE_TEST_HIDDEN").is_some(),
        ..Options::default()
    };
    options.max_age = milliseconds("SERVE_TEST_MAX_AGE").unwrap_or(options.max_age);
    options.head_timeout = milliseconds("SERVE_TEST_HEAD").unwrap_or(options.head_timeout);
    options.stall_timeout = milliseconds("SERVE_TEST_STALL").unwrap_or(options.stall_timeout);
    tine_serve::run(options.with_variables(variable)?)?;
    Ok(())
}

/// Two workers; one that was asked to leave is replaced after that. A line on the standard input
/// asks the oldest.
fn primary() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (said, mut asked) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            if line.is_err() || said.send(()).is_err() {
                return;
            }
        }
    });
    runtime.block_on(async {
        let mut setup = Cluster::builder();
        let (cluster, mut events) = setup.env(ROLE, "server").start()?;
        for _ in 0..2 {
            cluster.fork()?;
        }
        loop {
            tokio::select! {
                event = events.next() => match event {
                    None => return Ok(()),
                    Some(Event::Listening { worker, address }) => {
                        println!("worker {} listens on {address}", worker.id());
                    }
                    Some(Event::Exit { worker, status, exited_after_disconnect }) => {
                        println!("worker {} ended: {status}, {exited_after_disconnect}", worker.id());
                        cluster.fork()?;
                    }
                    Some(_) => {}
                },
                line = asked.recv() => {
                    if line.is_none() {
                        return Ok(());
                    }
                    let oldest = cluster.workers().into_iter().min_by_key(|worker| worker.id());
                    if let Some(worker) = oldest {
                        worker.disconnect();
                    }
                }
            }
        }
    })
}

/// This program in another role.
pub(crate) fn command(role: &str, folder: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(ROLE, role).env("PM2_SERVE_PATH", folder);
    command.envs(variables.iter().copied());
    command
}

pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let program = Program::start("server", command("server", folder, variables));
        let is_up = |line: &Line| line.text.contains(" on http://");
        let line = program.wait_for_line(is_up, "that it listens", PATIENCE);
        let port = line.text.rsplit(':').next().unwrap().parse().unwrap();
        Self { program, port }
    }

    /// A GET with further headers, each with `\r\n` at its end.
    pub(crate) fn get(&self, path: &str, headers: &str) -> Answer {
        self.ask("GET", path, headers)
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        self.say(request.as_bytes())
    }

    /// Sends these bytes and nothing else, and reads until the server closes.
    pub(crate) fn say(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // What the server refuses it need not read.
        let _ = stream.write_all(bytes);
        Answer::read(&mut stream)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads until the end of the connection.
    pub(crate) fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        let end = Instant::now() + PATIENCE;
        let mut buffer = [0; 65536];
        loop {
            assert!(Instant::now() < end, "the server goes on for ever");
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(error) => panic!("reading the answer: {error}"),
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self {
                status: 0,
                head: String::new(),
                body: Vec::new(),
            };
        }
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut answer = Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: bytes[end + 4..].to_vec(),
        };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = unchunked(&answer.body);
        }
        answer
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.split("\r\n").skip(1);
        lines.find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n").unwrap();
        let length = std::str::from_utf8(&bytes[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        body.extend_from_slice(&bytes[end + 2..end + 2 + length]);
        if length == 0 {
            return body;
        }
        bytes = &bytes[end + 2 + length + 2..];
    }
}
