//! A real keeper with real brains and processes. Without the test harness: this very program is
//! the keeper and the brain too.
//!
//! `cargo test -p tine-keeper --test keeper -- NAME` runs the tests whose names hold NAME;
//! `numbers` measures, and is run only by its name.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use common::{Brain, Ends, Keeper, PATIENCE, c, echo, is_readable, pipe, program, readable, until};
use tine_keeper::client::{ClientError, Event};
use tine_keeper::protocol::{FailedStep, MAX_PACKET, Order, Reply, Request, Status};
use tine_sys::reap::ExitStatus;

fn main() -> ExitCode {
    if let Some(code) = common::role() {
        return code;
    }
    let tests: [(&str, fn()); 14] = [
        ("thirty_brains_lose_nothing", thirty_brains_lose_nothing),
        ("what_does_not_start_is_told", what_does_not_start_is_told),
        ("nonsense_is_refused", nonsense_is_refused),
        ("orphans_are_reaped_and_told", orphans_are_reaped_and_told),
        ("a_crashing_brain_waits", a_crashing_brain_waits),
        ("a_deaf_brain_costs_nothing", a_deaf_brain_costs_nothing),
        (
            "a_brain_that_hangs_up_is_ended",
            a_brain_that_hangs_up_is_ended,
        ),
        ("a_full_keeper_still_works", a_full_keeper_still_works),
        ("an_idle_keeper_sleeps", an_idle_keeper_sleeps),
        (
            "what_it_is_given_it_holds_from_the_beginning",
            what_it_is_given_it_holds_from_the_beginning,
        ),
        ("what_starts_is_ordinary", what_starts_is_ordinary),
        ("the_end_by_agreement", the_end_by_agreement),
        ("the_end_by_force", the_end_by_force),
        ("children_survive_the_keeper", children_survive_the_keeper),
    ];
    let wanted = std::env::args().skip(1).find(|text| !text.starts_with('-'));
    for (name, test) in tests {
        if wanted.as_deref().is_none_or(|wanted| name.contains(wanted)) {
            test();
            println!("{name}: ok");
        }
    }
    if wanted.as_deref() == Some("numbers") {
        numbers();
    }
    ExitCode::SUCCESS
}

/// Which file it is, whoever holds it.
fn identity(fd: &OwnedFd) -> (u64, u64) {
    let stat = rustix::fs::fstat(fd).unwrap();
    (stat.st_dev, stat.st_ino)
}

fn thirty_brains_lose_nothing() {
    let keeper = Keeper::start();
    let mut brain = keeper.brain();
    let mut children = Vec::new();
    let mut held = BTreeMap::new();
    for name in ["a", "b", "c"] {
        let (stdin, to) = pipe();
        let (from, stdout) = pipe();
        let mut cat = program(name, "/bin/cat", &[]);
        cat.fds = vec![(stdin.as_fd(), 0), (stdout.as_fd(), 1)];
        let started = brain.client.spawn(&cat, PATIENCE).unwrap();
        children.push((name, started.pid, Ends(started.pidfd.unwrap())));
        let names = [format!("{name}/to"), format!("{name}/from")];
        let both = [(&*names[0], to.as_fd()), (&*names[1], from.as_fd())];
        brain.client.put(&both, PATIENCE).unwrap();
        held.insert(names[0].clone(), identity(&to));
        held.insert(names[1].clone(), identity(&from));
    }
    let state: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    brain.client.put_state("apps", &state, PATIENCE).unwrap();
    brain.client.put_state("empty", &[], PATIENCE).unwrap();

    // Exits that no brain has acknowledged, and those that one has.
    let mut open = BTreeMap::new();
    let mut closed = BTreeSet::new();
    for round in 0..30_u8 {
        for number in 0..3 {
            let name = format!("short {round} {number}");
            let script = format!("exit {round}");
            let short = program(&name, "/bin/sh", &["-c", &script]);
            if number < 2 {
                brain.client.spawn(&short, PATIENCE).unwrap();
            } else {
                // The brain dies before it knows.
                brain.client.send_spawn(&short).unwrap();
            }
            open.insert(name, Status::Code(i32::from(round)));
        }
        brain.kill();
        brain = keeper.brain();

        let mut told = BTreeMap::new();
        while told.len() < open.len() {
            let Event::Exit(exit) = brain.event() else {
                panic!("something else than an exit");
            };
            assert!(
                !closed.contains(&exit.seq),
                "told after it was acknowledged"
            );
            let twice = told.insert(exit.name.clone().unwrap(), exit);
            assert!(twice.is_none(), "told twice to one brain");
        }
        for (name, status) in &open {
            assert_eq!(told[name].status, *status, "{name}");
        }
        let half = told.into_values().step_by(2);
        for exit in half {
            brain.call(Request::Ack {
                exits: vec![exit.seq],
            });
            open.remove(&exit.name.unwrap());
            closed.insert(exit.seq);
        }

        let all = brain.client.list(PATIENCE).unwrap();
        let running = |name: &str| all.processes.iter().find(|one| one.name == name).unwrap();
        assert_eq!(all.processes.len(), 3);
        for (name, pid, _) in &children {
            assert_eq!(running(name).pid, *pid);
            assert!(running(name).started > 1_600_000_000_000);
            let pidfd = running(name).pidfd.as_ref().unwrap();
            assert!(
                !is_readable(pidfd.as_fd(), Duration::ZERO),
                "{name} has ended"
            );
        }
        let fds: BTreeMap<String, OwnedFd> = all.descriptors.into_iter().collect();
        let same = fds.iter().map(|(name, fd)| (name.clone(), identity(fd)));
        assert_eq!(same.collect::<BTreeMap<_, _>>(), held);
        for (name, ..) in &children {
            let [to, from] = ["to", "from"].map(|end| &fds[&format!("{name}/{end}")]);
            echo(to, from, &format!("round {round}"));
        }
        let expected = [("apps".into(), state.clone()), ("empty".into(), Vec::new())];
        assert_eq!(all.states, expected);
        assert_eq!(all.orphans_forgotten, 0);
    }
    let names = held.into_keys().collect();
    brain.call(Request::Drop { names });
    let key = String::from("apps");
    brain.call(Request::ForgetState { key });
    let all = brain.client.list(PATIENCE).unwrap();
    assert!(all.descriptors.is_empty());
    assert_eq!(all.states.len(), 1);
}

fn what_does_not_start_is_told() {
    let keeper = Keeper::start();
    let mut brain = keeper.brain();
    let before = keeper.open_descriptors();
    let mut start = |program| match brain.client.spawn(&program, PATIENCE).unwrap_err() {
        ClientError::SpawnFailed { step, errno, text } => (step, errno, text),
        other => panic!("{other}"),
    };
    let (step, errno, text) = start(program("x", "/no/such/program", &[]));
    assert_eq!((step, errno), (FailedStep::Execute, 2));
    assert!(text.contains("/no/such/program"), "{text}");
    let mut lost = program("x", "/bin/true", &[]);
    lost.cwd = Some(c("/no/such/folder"));
    assert_eq!(start(lost).0, FailedStep::Directory);
    let mut twice = program("x", "/bin/true", &[]);
    let null = File::open("/dev/null").unwrap();
    twice.fds = vec![(null.as_fd(), 5), (null.as_fd(), 5)];
    assert_eq!(start(twice).0, FailedStep::Descriptor);
    let (_, _, text) = start(program("x", &format!("/{}", "x".repeat(1_000_000)), &[]));
    assert!(text.len() < 5_000);

    let (stdin, _to) = pipe();
    let _child = brain.shell("x", "read line", &[(stdin.as_fd(), 0)]);
    let again = brain
        .client
        .spawn(&program("x", "/bin/true", &[]), PATIENCE);
    let again = again.unwrap_err().to_string();
    assert!(again.contains("runs already"), "{again}");
    assert_eq!(keeper.open_descriptors(), before);
    assert_eq!(brain.client.list(PATIENCE).unwrap().processes.len(), 1);
}

fn nonsense_is_refused() {
    let keeper = Keeper::start();
    let mut brain = keeper.silent_brain();
    let send = |brain: &Brain, bytes: &[u8]| {
        rustix::net::send(&brain.client, bytes, rustix::net::SendFlags::empty()).unwrap();
    };
    let refused = |brain: &mut Brain, word: &str| match brain.event() {
        Event::Answer {
            reply: Reply::Refused { text },
            fd: None,
            ..
        } => {
            assert!(text.contains(word), "{text:?} says nothing of {word:?}");
        }
        other => panic!("{other:?} instead of a refusal with {word:?}"),
    };
    brain.client.send(Request::List, &[]).unwrap();
    refused(&mut brain, "hello");
    brain
        .client
        .send(Request::Hello { version: 2 }, &[])
        .unwrap();
    refused(&mut brain, "version 2");
    brain.client.hello(PATIENCE).unwrap();
    let before = keeper.open_descriptors();

    send(&brain, b"\xff\x00 not json");
    refused(&mut brain, "not a request");
    send(&brain, b"{\"token\":1,\"request\":{\"spawn\":{\"na");
    refused(&mut brain, "not a request");
    send(&brain, "[".repeat(MAX_PACKET).as_bytes());
    refused(&mut brain, "not a request");
    send(&brain, &vec![b' '; MAX_PACKET + 1]);
    refused(&mut brain, "too long");

    let null: OwnedFd = File::open("/dev/null").unwrap().into();
    let one = [null.as_fd()];
    brain.client.send(Request::Finish, &one).unwrap();
    refused(&mut brain, "descriptors came beside");
    brain.client.send(Request::List, &one).unwrap();
    refused(&mut brain, "descriptors came beside");
    let names = vec!["a".into(), "b".into()];
    brain.client.send(Request::Put { names }, &one).unwrap();
    refused(&mut brain, "descriptors came beside");
    brain
        .client
        .send(
            Request::Put {
                names: vec![String::new()],
            },
            &one,
        )
        .unwrap();
    refused(&mut brain, "a name has");
    brain
        .client
        .send(Request::PutState { key: "k".into() }, &one)
        .unwrap();
    refused(&mut brain, "sealed");
    // A pipe would make a keeper that reads it wait for ever.
    let (pipe, _other) = pipe();
    let order = Order {
        name: "x".into(),
        argv: usize::MAX,
        ..Order::default()
    };
    brain
        .client
        .send(Request::Spawn(order), &[pipe.as_fd()])
        .unwrap();
    refused(&mut brain, "sealed");
    // More than one packet may have, sent past the client.
    let many = vec![null.as_fd(); 200];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(200))];
    let mut control = rustix::net::SendAncillaryBuffer::new(&mut space);
    assert!(control.push(rustix::net::SendAncillaryMessage::ScmRights(&many)));
    let bytes = [std::io::IoSlice::new(b"{}")];
    let flags = rustix::net::SendFlags::empty();
    rustix::net::sendmsg(&brain.client, &bytes, &mut control, flags).unwrap();
    refused(&mut brain, "too many descriptors");

    let all = brain.client.list(PATIENCE).unwrap();
    assert!(all.processes.is_empty() && all.descriptors.is_empty() && all.states.is_empty());
    assert_eq!(keeper.open_descriptors(), before, "something was kept open");
}

fn orphans_are_reaped_and_told() {
    let keeper = Keeper::start();
    let mut brain = keeper.brain();
    let (wait, go) = pipe();
    let _parent = brain.shell(
        "parent",
        "(read line <&4; exit 7) 4<&3 & exit 1",
        &[(wait.as_fd(), 3)],
    );
    let Event::Exit(parent) = brain.event() else {
        panic!("the parent's end comes first");
    };
    assert_eq!(parent.name.as_deref(), Some("parent"));
    assert_eq!(parent.status, Status::Code(1));
    drop((wait, go));
    let Event::Orphan(orphan) = brain.event() else {
        panic!("then the orphan's");
    };
    assert_eq!((orphan.name, orphan.status), (None, Status::Code(7)));
    brain.call(Request::Ack {
        exits: vec![parent.seq],
    });
    brain.kill();
    let mut brain = keeper.brain();
    let Event::Orphan(again) = brain.event() else {
        panic!("only the orphan is told again");
    };
    assert_eq!(again.seq, orphan.seq);
}

fn a_crashing_brain_waits() {
    let keeper = Keeper::with("crasher", Keeper::default_short_life(), PATIENCE);
    let starts = || -> Vec<u128> {
        let log = keeper.log();
        let times = log.lines().filter_map(|line| line.strip_prefix("crasher "));
        times.filter_map(|time| time.parse().ok()).collect()
    };
    until("the fifth brain", || starts().len() >= 5);
    let starts = starts();
    let gaps: Vec<u128> = starts.windows(2).map(|two| two[1] - two[0]).collect();
    for (gap, least) in gaps[1..].iter().zip([10, 20, 40]) {
        assert!(
            *gap >= least,
            "started after {gap} ms, not {least}: {starts:?}"
        );
    }
    assert!(keeper.log().contains("exit code 3"), "{}", keeper.log());
}

fn a_deaf_brain_costs_nothing() {
    let keeper = Keeper::start();
    let mut brain = keeper.brain();
    let mut sent = Vec::new();
    // Until the answers fill the socket, then the requests, then what the client keeps.
    while sent.len() < 20_000 {
        sent.push(
            brain
                .client
                .send(Request::Ack { exits: Vec::new() }, &[])
                .unwrap(),
        );
    }
    assert!(brain.client.wants_write());
    let memory = keeper.status("VmRSS");
    assert!(memory < 64 * 1024, "{memory} KiB");
    let deadline = Instant::now() + PATIENCE;
    let mut answered = Vec::new();
    while answered.len() < sent.len() {
        assert!(Instant::now() < deadline, "{} answers", answered.len());
        brain.client.flush().unwrap();
        while let Some(event) = brain.client.poll_event().unwrap() {
            match event {
                Event::Answer {
                    token: Some(token),
                    reply: Reply::Done,
                    ..
                } => {
                    answered.push(token);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(answered, sent, "in order");
    // And one that dies with all that unread.
    for _ in 0..2_000 {
        brain.client.send(Request::List, &[]).unwrap();
    }
    brain.kill();
    keeper.brain().client.list(PATIENCE).unwrap();
}

fn a_brain_that_hangs_up_is_ended() {
    let keeper = Keeper::start();
    let Brain {
        pid,
        client,
        mut stream,
    } = keeper.brain();
    drop(client);
    stream.write_all(b"c").unwrap();
    let next = keeper.brain();
    assert_ne!(next.pid, pid);
    assert!(keeper.log().contains("SIGKILL"), "{}", keeper.log());

    // An empty packet means the same.
    let flags = rustix::net::SendFlags::empty();
    rustix::net::send(&next.client, b"", flags).unwrap();
    assert_ne!(keeper.brain().pid, next.pid);
}

fn a_full_keeper_still_works() {
    let keeper = Keeper::limited(300);
    let mut brain = keeper.brain();
    let null = File::open("/dev/null").unwrap();
    let mut held = 0;
    let refused = loop {
        let name = format!("fd:{held}");
        match brain.client.put(&[(&name, null.as_fd())], PATIENCE) {
            Ok(()) => held += 1,
            Err(refused) => break refused,
        }
        assert!(held < 300);
    };
    assert!(matches!(refused, ClientError::Refused { .. }), "{refused}");
    let state = brain.client.put_state("k", b"more", PATIENCE);
    assert!(
        matches!(state, Err(ClientError::Refused { .. })),
        "{state:?}"
    );
    // In place of another it may be.
    brain
        .client
        .put(&[("fd:0", null.as_fd())], PATIENCE)
        .unwrap();
    for _ in 0..3 {
        brain.kill();
        brain = keeper.brain();
        assert_eq!(brain.client.list(PATIENCE).unwrap().descriptors.len(), held);
    }
    let (stdin, to) = pipe();
    let _many: Vec<Ends> = (0..50)
        .map(|number| brain.shell(&format!("p{number}"), "read line", &[(stdin.as_fd(), 0)]))
        .collect();
    let all = brain.client.list(PATIENCE).unwrap();
    assert!(all.processes.iter().all(|process| process.pidfd.is_some()));
    assert_eq!(all.processes.len(), 50);
    drop((stdin, to));
    for _ in 0..50 {
        assert!(matches!(brain.event(), Event::Exit(_)));
    }
}

fn an_idle_keeper_sleeps() {
    let keeper = Keeper::start();
    let mut brain = keeper.brain();
    let (stdin, _to) = pipe();
    let _child = brain.shell("child", "read line", &[(stdin.as_fd(), 0)]);
    let wakeups = || keeper.status("voluntary_ctxt_switches");
    // It may be about to go to sleep after the last answer.
    until("sleep", || {
        let path = format!("/proc/{}/stat", keeper.child.pid.as_raw_pid());
        std::fs::read_to_string(path).unwrap().contains(") S ")
    });
    // A second after the last answer it wakes up once, to give memory back.
    assert!(!is_readable(brain.client.as_fd(), Duration::from_secs(2)));
    let before = wakeups();
    assert!(!is_readable(brain.client.as_fd(), Duration::from_secs(3)));
    assert_eq!(wakeups(), before);
}

fn what_it_is_given_it_holds_from_the_beginning() {
    let keeper = Keeper::holding("control,lock");
    let log = identity(&keeper.log_file().into());
    let mut brain = keeper.brain();
    let held = |brain: &mut Brain| -> Vec<(String, (u64, u64))> {
        let all = brain.client.list(PATIENCE).unwrap().descriptors;
        let all = all.into_iter();
        all.map(|(name, fd)| (name, identity(&fd))).collect()
    };
    let both = [("control".to_owned(), log), ("lock".to_owned(), log)];
    assert_eq!(held(&mut brain), both);
    brain.kill();
    let mut brain = keeper.brain();
    assert_eq!(held(&mut brain), both);
    brain.call(Request::Drop {
        names: vec!["control".into()],
    });
    assert_eq!(held(&mut brain), both[1..]);

    let keeper = Keeper::holding("twice,twice");
    assert_eq!(keeper.ended(), ExitStatus::Code(1));
    let log = keeper.log();
    assert!(log.contains("cannot be a keeper"), "{log}");
    assert!(log.contains("named twice"), "{log}");
}

fn what_starts_is_ordinary() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Nofile);
    let current = Some(256);
    setrlimit(Resource::Nofile, Rlimit { current, ..before }).unwrap();
    let keeper = Keeper::start();
    setrlimit(Resource::Nofile, before).unwrap();
    let mut brain = keeper.brain();
    let (from, stdout) = pipe();
    let script = "ulimit -Sn; cat /proc/self/oom_score_adj; ls /proc/$$/fd | tr '\\n' ' '";
    let _child = brain.shell("child", script, &[(stdout.as_fd(), 1)]);
    drop(stdout);
    let mut text = String::new();
    File::from(from).read_to_string(&mut text).unwrap();
    let score = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["256", score.trim()]);
    let numbers: Vec<&str> = lines[2].split_ascii_whitespace().collect();
    assert_eq!(numbers, ["0", "1", "2"]);
    let path = format!("/proc/{}", keeper.child.pid.as_raw_pid());
    let own = std::fs::read_to_string(format!("{path}/oom_score_adj")).unwrap();
    let status = std::fs::read_to_string(format!("{path}/status")).unwrap();
    let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let rights = u64::from_str_radix(rights.unwrap().trim(), 16).unwrap();
    // CAP_SYS_RESOURCE (capabilities(7)): whether it may.
    let permitted = rights >> 24 & 1 == 1;
    assert_eq!(own.trim(), if permitted { "-500" } else { score.trim() });
    for number in 0..3 {
        let file = std::fs::read_link(format!("{path}/fd/{number}")).unwrap();
        assert_eq!(file.to_str(), Some("/dev/null"));
    }

    // It is raised for the keeper and the brain alone.
    let limits = |pid: i32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let line = text.lines().find(|line| line.starts_with("Max open files"));
        let numbers = line.unwrap().split_ascii_whitespace().skip(3);
        let numbers: Vec<String> = numbers.take(2).map(str::to_owned).collect();
        <[String; 2]>::try_from(numbers).unwrap()
    };
    let [soft, hard] = limits(brain.pid.as_raw_pid());
    assert_eq!(soft, hard);
    assert_ne!(soft, "256");
    // More than that limit allows.
    let null = File::open("/dev/null").unwrap();
    for number in 0..300 {
        let name = format!("fd:{number}");
        brain
            .client
            .put(&[(&name, null.as_fd())], PATIENCE)
            .unwrap();
    }
    let (stdin, to) = pipe();
    let (from, stdout) = pipe();
    let fds = [(stdin.as_fd(), 0), (stdout.as_fd(), 1)];
    let _child = brain.shell("another", "read line; ulimit -Sn", &fds);
    drop((stdout, to));
    let mut text = String::new();
    File::from(from).read_to_string(&mut text).unwrap();
    assert_eq!(text.trim(), "256");
}

fn the_end_by_agreement() {
    let keeper = Keeper::start();
    let mut brain = keeper.brain();
    let (stdin, _to) = pipe();
    let child = brain.shell("child", "read line", &[(stdin.as_fd(), 0)]);
    keeper.signal(15);
    assert!(matches!(brain.event(), Event::Terminate));
    // One that dies of it is followed by one that is told as well.
    brain.kill();
    let mut brain = keeper.brain();
    assert!(matches!(brain.event(), Event::Terminate));
    brain.call(Request::Finish);
    drop(brain);
    assert_eq!(keeper.ended(), ExitStatus::Code(0));
    assert!(
        !is_readable(child.0.as_fd(), Duration::ZERO),
        "the child has ended"
    );
}

fn the_end_by_force() {
    let keeper = Keeper::start();
    let mut brain = keeper.brain();
    keeper.signal(15);
    assert!(matches!(brain.event(), Event::Terminate));
    keeper.signal(2);
    assert_eq!(keeper.ended(), ExitStatus::Code(1));
    readable(brain.client.as_fd(), "the end of the connection");
    assert!(matches!(brain.client.poll_event(), Err(ClientError::Gone)));

    let keeper = Keeper::with("brain", Duration::ZERO, Duration::from_millis(200));
    let _brain = keeper.brain();
    let asked = Instant::now();
    keeper.signal(15);
    assert_eq!(keeper.ended(), ExitStatus::Code(1));
    assert!(asked.elapsed() >= Duration::from_millis(200));
}

fn children_survive_the_keeper() {
    let keeper = Keeper::start();
    let mut brain = keeper.brain();
    let (stdin, to) = pipe();
    let (from, stdout) = pipe();
    let mut cat = program("cat", "/bin/cat", &[]);
    cat.fds = vec![(stdin.as_fd(), 0), (stdout.as_fd(), 1)];
    let cat = Ends(brain.client.spawn(&cat, PATIENCE).unwrap().pidfd.unwrap());
    keeper.signal(9);
    keeper.ended();
    echo(&to, &from, "after the keeper");
    assert!(!is_readable(cat.0.as_fd(), Duration::ZERO));
    readable(brain.client.as_fd(), "the end of the connection");
    assert!(matches!(brain.client.poll_event(), Err(ClientError::Gone)));
}

/// Prints what it costs.
fn numbers() {
    let keeper = Keeper::start();
    let mut brain = keeper.brain();
    let memory = |when: &str| {
        let [rss, data, anonymous] = ["VmRSS", "VmData", "RssAnon"].map(|f| keeper.status(f));
        println!("keeper {when}: VmRSS {rss} KiB, RssAnon {anonymous} KiB, VmData {data} KiB");
    };
    memory("with 0 processes");
    let (stdin, to) = pipe();
    let mut samples: [Vec<Duration>; 2] = Default::default();
    let null = File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .unwrap();
    for number in 0..1_000 {
        let mut cat = program(&format!("cat:{number}"), "/bin/cat", &[]);
        cat.env = vec![c(&"E=".repeat(2_000)); 1];
        cat.fds = vec![(stdin.as_fd(), 0), (null.as_fd(), 1)];
        let began = Instant::now();
        brain.client.spawn(&cat, PATIENCE).unwrap();
        samples[0].push(began.elapsed());
        if number < 300 {
            let mut direct = tine_sys::spawn::Spawn::new(c("/bin/cat"));
            direct.env = cat.env.clone();
            direct.fds = vec![(null.as_fd(), 0), (null.as_fd(), 1)];
            let began = Instant::now();
            let child = tine_sys::spawn::spawn(&direct).unwrap();
            samples[1].push(began.elapsed());
            readable(child.pidfd.as_fd(), "its end");
            tine_sys::reap::wait_pidfd(child.pidfd.as_fd()).unwrap();
        }
    }
    for (what, all) in ["through the keeper", "directly"].iter().zip(&mut samples) {
        all.sort();
        let [low, middle, high] = [all.len() / 20, all.len() / 2, all.len() * 19 / 20];
        println!(
            "spawn {what}: 5% {:?}, median {:?}, 95% {:?}",
            all[low], all[middle], all[high]
        );
    }
    memory("with 1,000 processes");
    for number in 0..1_000 {
        let name = format!("fd:{number}");
        brain
            .client
            .put(&[(&name, null.as_fd())], PATIENCE)
            .unwrap();
    }
    memory("and 1,000 descriptors");
    let began = Instant::now();
    let all = brain.client.list(PATIENCE).unwrap();
    println!(
        "list of {}: {:?}",
        all.processes.len() + all.descriptors.len(),
        began.elapsed()
    );
    let began = Instant::now();
    drop((stdin, to));
    for _ in 0..1_000 {
        assert!(matches!(brain.event(), Event::Exit(_)));
    }
    println!("1,000 processes ended and told in {:?}", began.elapsed());
    memory("with 1,000 exits");
    let began = Instant::now();
    brain.kill();
    let mut brain = keeper.brain();
    println!("kill -9 to the next brain's hello: {:?}", began.elapsed());
    brain.client.list(PATIENCE).unwrap();
    println!("and its list: {:?}", began.elapsed());
}
