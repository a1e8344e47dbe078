//! A primary that does what its standard input says and tells what happens: to be given workers of
//! the worst kind, and to be replaced by its next version at the worst moment.
//!
//! | command | what it does |
//! |---|---|
//! | `fork PROGRAM ARGUMENT…` | starts a worker: `fork ID PID` |
//! | `json`, `advanced`, `piped`, `plain` | how the next workers talk, and whether their output is a pipe to here |
//! | `take`, `slow`, `leave`, `drop` | what is done with events from now on |
//! | `send ID JSON` | `sent ID`, or why not |
//! | `fill ID BYTES` | sends one text so long: `filled ID`, or why not |
//! | `give ID COUNT` | sends so many sockets: `gave ID` for each, or why not |
//! | `disconnect ID`, `close ID` | asks it to leave, closes its channel |
//! | `read ID` | tells what comes from its piped output |
//! | `report` | `count ID NUMBER` for all that sent numbers: how many in a row from 0 |
//! | `keep NAME` | opens a UDP socket that the next version gets: `kept NAME PORT` |
//! | `upgrade [PROGRAM]`, `twice` | becomes its next version, the second from two threads at once |
//! | `quit` | leaves without a word |
//!
//! Numbers that workers send are counted and told now and then; they must come in order from 0.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::BufRead as _;
use std::net::{Ipv4Addr, UdpSocket};
use std::task::Poll;
use std::time::Duration;
use tine_cluster::cluster::Upgrade;
use tine_cluster::{Cluster, Event, Events, Message, Policy, Serialization, Stdio, WorkerProcess};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let variable = |name: &str| std::env::var(name).ok();
    let mut setup = Cluster::builder();
    setup.hold_listeners(true).args([""; 0]);
    setup.policy(match variable("POLICY").as_deref() {
        Some("shared") => Policy::Shared,
        Some("kernel") => Policy::Kernel,
        Some("least") => Policy::Least,
        _ => Policy::RoundRobin,
    });
    if let Some(limit) = variable("LIMIT") {
        setup.message_limit(limit.parse()?);
    }
    let (cluster, events) = setup.start()?;
    let version: u32 = variable("VERSION").map_or(Ok(1), |version| version.parse())?;
    let mut probe = Probe {
        taking: if variable("LEAVE").is_some() {
            Taking::Leave
        } else {
            Taking::Quick
        },
        cluster,
        events: Some(events),
        version,
        told: BTreeMap::new(),
        counted: BTreeMap::new(),
        keep: Vec::new(),
    };
    for name in ["one", "two"] {
        if let Some(fd) = probe.cluster.take_kept(name) {
            println!("kept {name} {}", UdpSocket::from(fd).local_addr()?.port());
        }
    }
    let workers = probe.cluster.workers().len();
    println!(
        "version {version}, {workers} workers, upgraded {}",
        probe.cluster.was_upgraded()
    );

    let (sender, mut commands) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                Some(command) => probe.obey(&command).await?,
                None => return Ok(()),
            },
            event = next(&mut probe.events, probe.taking) => probe.happened(event)?,
        }
    }
}

/// What is done with events.
#[derive(Clone, Copy, PartialEq)]
enum Taking {
    Quick,
    Slow,
    Leave,
}

async fn next(events: &mut Option<Events>, taking: Taking) -> Event {
    match (events, taking) {
        (Some(events), Taking::Quick | Taking::Slow) => {
            if taking == Taking::Slow {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            match events.next().await {
                Some(event) => event,
                None => std::future::pending().await,
            }
        }
        (None, _) | (_, Taking::Leave) => std::future::pending().await,
    }
}

/// Has what is to be sent queued before the next command, and does the rest beside it.
async fn begin(work: impl Future<Output = ()> + Send + 'static) {
    let mut work = Box::pin(work);
    let once = std::future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context)));
    if once.await.is_pending() {
        tokio::spawn(work);
    }
}

struct Probe {
    cluster: Cluster,
    events: Option<Events>,
    taking: Taking,
    version: u32,
    /// How often something was said.
    told: BTreeMap<String, u64>,
    /// The next number of each worker.
    counted: BTreeMap<u32, u64>,
    keep: Vec<(String, UdpSocket)>,
}

impl Probe {
    async fn obey(&mut self, command: &str) -> Result<(), Box<dyn Error>> {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        match word {
            "fork" => {
                let mut words = rest.split(' ');
                let program = words.next().unwrap_or_default().to_owned();
                let arguments: Vec<String> = words.map(str::to_owned).collect();
                self.cluster.setup(|setup| {
                    setup.exec(program).args(arguments);
                });
                let worker = self.cluster.fork()?;
                println!("fork {} {}", worker.id(), worker.pid());
            }
            "json" | "advanced" => {
                let how: Serialization = word.parse().map_err(|_| "which serialization?")?;
                self.cluster.setup(|setup| {
                    setup.serialization(how);
                });
            }
            "piped" | "plain" => {
                let stdio = match word {
                    "piped" => Stdio::Piped,
                    _ => Stdio::Inherit,
                };
                self.cluster.setup(|setup| {
                    setup.stdio(1, stdio);
                });
            }
            "take" => self.taking = Taking::Quick,
            "slow" => self.taking = Taking::Slow,
            "leave" => self.taking = Taking::Leave,
            "drop" => self.events = None,
            "send" => {
                let (worker, text) = self.worker(rest)?;
                let body = tine_cluster::Body::from_json(text)?;
                begin(async move {
                    match worker.send_body(&body).await {
                        Ok(()) => println!("sent {}", worker.id()),
                        Err(error) => println!("not sent {}: {error}", worker.id()),
                    }
                })
                .await;
            }
            "fill" => {
                let (worker, size) = self.worker(rest)?;
                let text = "x".repeat(size.parse()?);
                begin(async move {
                    match worker.send(&text).await {
                        Ok(()) => println!("filled {}", worker.id()),
                        Err(error) => println!("not filled {}: {error}", worker.id()),
                    }
                })
                .await;
            }
            "give" => {
                let (worker, count) = self.worker(rest)?;
                for number in 0..count.parse::<u32>()? {
                    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
                    let worker = worker.clone();
                    begin(async move {
                        match worker.send_with_handle(&number, socket).await {
                            Ok(()) => println!("gave {}", worker.id()),
                            Err(error) => println!("not given {}: {error}", worker.id()),
                        }
                    })
                    .await;
                }
            }
            "disconnect" => self.worker(rest)?.0.disconnect(),
            "close" => self.worker(rest)?.0.close_channel(),
            "read" => {
                let worker = self.worker(rest)?.0;
                let output = worker.take_stdout().ok_or("it is not piped")?;
                tokio::spawn(async move {
                    let mut lines = BufReader::new(output).lines();
                    while let Ok(Some(line)) = lines.next_line().await {
                        println!("output {} {line}", worker.id());
                    }
                });
            }
            "report" => {
                for (worker, count) in &self.counted {
                    println!("count {worker} {count}");
                }
                println!("reported");
            }
            "keep" => {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
                println!("kept {rest} {}", socket.local_addr()?.port());
                self.keep.push((rest.to_owned(), socket));
            }
            "upgrade" => {
                let upgrade = self.upgrade(rest)?;
                println!(
                    "{}; version {} goes on",
                    self.cluster.upgrade(&upgrade),
                    self.version
                );
            }
            "twice" => {
                let upgrades = [self.upgrade("")?, self.upgrade("")?];
                let threads = upgrades.map(|upgrade| {
                    let cluster = self.cluster.clone();
                    std::thread::spawn(move || println!("{}", cluster.upgrade(&upgrade)))
                });
                for thread in threads {
                    let _ = thread.join();
                }
            }
            "quit" => std::process::exit(0),
            other => return Err(format!("what is {other:?}?").into()),
        }
        Ok(())
    }

    fn worker<'a>(&self, words: &'a str) -> Result<(WorkerProcess, &'a str), Box<dyn Error>> {
        let (number, rest) = words.split_once(' ').unwrap_or((words, ""));
        let number: u32 = number.parse()?;
        let mut workers = self.cluster.workers().into_iter();
        let found = workers.find(|worker| worker.id().0 == number);
        Ok((found.ok_or("no such worker")?, rest))
    }

    fn upgrade(&self, program: &str) -> Result<Upgrade, Box<dyn Error>> {
        let mut upgrade = Upgrade::new();
        upgrade.env("VERSION", (self.version + 1).to_string());
        if !program.is_empty() {
            upgrade.program(program);
        }
        for (name, socket) in &self.keep {
            upgrade.keep(name, socket.try_clone()?);
        }
        Ok(upgrade)
    }

    fn happened(&mut self, event: Event) -> Result<(), Box<dyn Error>> {
        match event {
            Event::Online(worker) => println!("online {}", worker.id()),
            Event::Listening { worker, address } => {
                self.tell(format!("listening {} {address}", worker.id()), "");
            }
            Event::ListenFailed { worker, error, .. } => {
                let what = format!("refused {} {:?}", worker.id(), error.kind());
                self.tell(what, &error.to_string());
            }
            Event::AcceptFailed { address, error } => println!("accept failed {address} {error}"),
            Event::Message { worker, message } => self.heard(&worker, &message)?,
            Event::Disconnect { worker, error } => {
                println!("disconnect {} {error:?}", worker.id());
            }
            Event::Exit { worker, status, .. } => println!("exit {} {status}", worker.id()),
            _ => {}
        }
        Ok(())
    }

    fn heard(&mut self, worker: &WorkerProcess, message: &Message) -> Result<(), Box<dyn Error>> {
        let id = worker.id().0;
        if let Some(handle) = message.handle() {
            let text = format!("{handle:?}");
            let kind = text.split(['(', ' ']).next().unwrap_or_default();
            self.tell(format!("handle {id} {kind}"), "");
        }
        if let Ok(number) = message.read::<u64>() {
            let next = self.counted.entry(id).or_insert_with(|| {
                println!("first {id} {number}");
                number
            });
            if *next != number {
                println!("disorder {id}: {number} instead of {next}");
            }
            *next = number + 1;
            if next.is_multiple_of(100_000) {
                println!("count {id} {next}");
            }
            return Ok(());
        }
        let text = message
            .body()
            .to_json()
            .unwrap_or_else(|error| error.to_string());
        let begin: String = text.chars().take(60).collect();
        self.tell(format!("message {id} {} bytes", text.len()), &begin);
        Ok(())
    }

    /// Says it the first time, and how often it was when that is a round number.
    fn tell(&mut self, what: String, more: &str) {
        let count = self.told.entry(what.clone()).or_default();
        *count += 1;
        if *count == 1 || count.is_multiple_of(100) {
            println!("{what} ×{count} {more}");
        }
    }
}
