//! Workers that others start, and a primary that goes on after its process was killed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use support::killed;
use support::{Cluster, DEADLINE, Outside};
use tine_cluster::ExitStatus;
use tine_cluster::primary::{Event, Policy, Primary, Seat, WorkerId};
use tine_testkit::{Runtime, Signal, process};

const SERVER: &str = r"
const http = require('http');
const server = http.createServer((request, response) => response.end('pid ' + process.pid));
server.listen(process.env.PORT);
process.on('message', (message) => message === 'close' ? server.close() : process.send(message));
";

fn outside(policy: Policy, script: &str) -> Cluster {
    let mut cluster = Cluster::new(policy, Runtime::Node20, script);
    cluster.outside = Some(Outside::default());
    cluster
}

/// What happened to one worker, in words.
fn story(seen: &[Event], worker: WorkerId) -> Vec<&'static str> {
    let own = seen.iter().filter_map(|event| match event {
        Event::Online(who) if *who == worker => Some("online"),
        Event::Listening(who, _) if *who == worker => Some("listening"),
        Event::Disconnect { worker: who, .. } if *who == worker => Some("disconnect"),
        Event::Exit { worker: who, .. } if *who == worker => Some("exit"),
        _ => None,
    });
    own.collect()
}

fn exit_of(seen: &[Event], worker: WorkerId) -> Option<(ExitStatus, bool)> {
    seen.iter().find_map(|event| match event {
        Event::Exit {
            worker: who,
            status,
            exited_after_disconnect,
        } if *who == worker => Some((*status, *exited_after_disconnect)),
        _ => None,
    })
}

const KILLED: ExitStatus = ExitStatus::Signal {
    signal: 9,
    core_dumped: false,
};

#[test]
fn a_worker_that_others_start_lives_as_any_other() {
    for policy in [Policy::RoundRobin, Policy::Kernel, Policy::Shared] {
        let mut cluster = outside(policy, SERVER);
        let workers = [cluster.fork(0), cluster.fork(1)];
        for worker in workers {
            cluster.until_listening(worker);
        }
        let [first, second] = workers.map(|worker| cluster.pid(worker));
        let states = cluster.primary.workers();
        assert_eq!(states.len(), 2);
        for state in &states {
            assert!(state.online && state.connected && !state.leaving);
            assert_eq!(state.listening.len(), 1, "{policy}");
        }
        let asked = (0..6).map(|_| cluster.ask("/")).collect();
        let answers = cluster.answers(asked);
        assert!(answers.iter().all(|pid| [first, second].contains(pid)));

        let refused = cluster.primary.signal(workers[0], 15).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::Unsupported);
        process::signal(first, Signal::KILL).unwrap();
        cluster.until_exit(workers[0]);
        assert_eq!(
            story(&cluster.seen, workers[0]),
            ["online", "listening", "disconnect", "exit"]
        );
        assert_eq!(exit_of(&cluster.seen, workers[0]), Some((KILLED, false)));
        let asked = (0..6).map(|_| cluster.ask("/")).collect();
        if policy == Policy::Kernel {
            cluster.primary.lend_seat(Seat(0));
        }
        assert_eq!(cluster.answers(asked), [second; 6], "{policy}");

        cluster.primary.disconnect(workers[1]);
        cluster.until_exit(workers[1]);
        let exit = exit_of(&cluster.seen, workers[1]);
        assert_eq!(exit, Some((ExitStatus::Code(0), true)), "{policy}");
        // Told twice, or of nobody, changes nothing.
        let before = cluster.primary.revision();
        cluster.primary.ended(workers[1], KILLED);
        cluster.primary.ended(WorkerId(99), KILLED);
        assert_eq!(cluster.primary.revision(), before);
    }
}

/// The worker sends a message and exits at once; its end is told before the message is read.
#[test]
fn what_a_worker_said_before_its_end_was_told_still_counts() {
    let mut cluster = outside(
        Policy::RoundRobin,
        "process.send('last words', () => process.exit(7));",
    );
    let only = cluster.fork(0);
    let pid = cluster.pid(only);
    let end = std::time::Instant::now() + DEADLINE;
    while process::stat(pid).is_some_and(|stat| stat.is_alive()) {
        assert!(std::time::Instant::now() < end, "it lives on");
        std::thread::yield_now();
    }
    cluster.until_exit(only);
    let place = |found: &dyn Fn(&Event) -> bool| cluster.seen.iter().position(found).unwrap();
    let message = place(&|event| matches!(event, Event::Message { .. }));
    let exit = place(&|event| matches!(event, Event::Exit { .. }));
    assert!(message < exit);
    let exit = exit_of(&cluster.seen, only);
    assert_eq!(exit, Some((ExitStatus::Code(7), false)));
}

#[test]
fn nothing_is_left_of_a_birth_that_came_to_nothing_but_its_number() {
    let mut cluster = outside(Policy::RoundRobin, SERVER);
    let launch = support::launch(&Runtime::Node20.path(), cluster.folder(), cluster.port, 0);
    let birth = cluster.primary.prepare(launch).unwrap();
    let number = birth.id();
    let env: Vec<&str> = birth
        .env
        .iter()
        .map(|text| text.to_str().unwrap())
        .collect();
    assert!(env.contains(&"NODE_CHANNEL_FD=3"), "{env:?}");
    assert!(env.contains(&"NODE_UNIQUE_ID=1"), "{env:?}");
    let fds = birth.fds();
    let (theirs, at) = fds.iter().find(|(_, at)| *at == 3).unwrap();
    assert_eq!(*at, 3);
    let mut theirs = File::from(theirs.try_clone_to_owned().unwrap());
    drop(fds);
    drop(birth);
    assert_eq!(theirs.read(&mut [0]).unwrap(), 0, "the other end is open");
    assert!(cluster.primary.workers().is_empty());
    assert!(cluster.primary.facts().unwrap().descriptors.is_empty());
    assert_eq!(cluster.fork(0), WorkerId(number.0 + 1));
}

#[test]
fn that_a_program_closes_its_server_is_told_as_a_change() {
    let mut cluster = outside(Policy::RoundRobin, SERVER);
    cluster.primary.tell_changes();
    let only = cluster.fork(0);
    cluster.until_listening(only);
    let names = |primary: &Primary| -> Vec<String> {
        let all = primary.facts().unwrap().descriptors.into_iter();
        all.map(|(name, _)| name).collect()
    };
    assert_eq!(names(&cluster.primary), ["channel-1", "listener-0"]);
    cluster.seen.clear();
    cluster.send(only, "\"close\"");
    cluster.until("a change", |primary, seen| {
        let told = seen.iter().any(|event| matches!(event, Event::Changed));
        (told && names(primary) == ["channel-1"]).then_some(())
    });
    assert!(cluster.primary.workers()[0].listening.is_empty());
    // Answering connections changes nothing.
    let next = cluster.fork(1);
    cluster.until_listening(next);
    let before = cluster.primary.revision();
    let asked = (0..20).map(|_| cluster.ask("/")).collect();
    cluster.answers(asked);
    assert_eq!(cluster.primary.revision(), before);
}

/// Whoever answers a client with this address.
fn answer_to(port: u16, last: u8) -> u32 {
    let end = std::time::Instant::now() + DEADLINE;
    let (from, to) = ([127, 0, 0, last].into(), ([127, 0, 0, 1], port).into());
    let mut connection = tine_testkit::http::Connection::open_from(from, to, end).unwrap();
    connection.get("/", false, end).unwrap().pid().unwrap()
}

fn a_killed_primary_is_followed(test: &str, policy: Policy) {
    let killed = killed::start(test, policy, SERVER);
    let clients = 2..18;
    let before: BTreeMap<u8, u32> = clients
        .clone()
        .map(|last| (last, answer_to(killed.port, last)))
        .collect();
    let mut cluster = killed.restore();
    let first = cluster.until("the first event", |_, seen| {
        seen.first().map(|event| matches!(event, Event::Changed))
    });
    assert!(first, "{:?}", cluster.seen);
    let states = cluster.primary.workers();
    assert_eq!(states.len(), 2);
    assert!(states.iter().all(|it| it.online && it.connected));
    assert!(states.iter().all(|it| it.listening.len() == 1));
    let old: Vec<u32> = states.iter().map(|it| cluster.pid(it.id)).collect();

    // Whoever exactly takes turns has to come to everybody; the others may choose.
    let in_turns = match policy {
        Policy::RoundRobin | Policy::Least => true,
        Policy::Kernel => cluster.primary.addresses()[0]
            .1
            .to_string()
            .contains("exact"),
        _ => false,
    };
    let ask = |cluster: &mut Cluster, count: usize| -> BTreeSet<u32> {
        let asked = (0..count).map(|_| cluster.ask("/")).collect();
        cluster.answers(asked).into_iter().collect()
    };
    let all = |pids: &[u32]| -> BTreeSet<u32> { pids.iter().copied().collect() };
    let answers = ask(&mut cluster, 24);
    assert!(answers.is_subset(&all(&old)));
    assert!(!in_turns || answers == all(&old), "{answers:?} of {old:?}");
    if policy == Policy::Sticky {
        let port = cluster.port;
        let asking = std::thread::spawn(move || -> BTreeMap<u8, u32> {
            clients.map(|last| (last, answer_to(port, last))).collect()
        });
        cluster.until("the same clients", |_, _| {
            asking.is_finished().then_some(())
        });
        assert_eq!(asking.join().unwrap(), before);
    }

    // Messages, both ways.
    cluster.send(states[1].id, "\"well?\"");
    cluster.until("an answer", |_, seen| {
        let well = |event: &Event| match event {
            Event::Message { worker, message } => {
                *worker == states[1].id && message.read::<String>().unwrap() == "well?"
            }
            _ => false,
        };
        seen.iter().any(well).then_some(())
    });

    let third = cluster.fork(2);
    assert_eq!(third, WorkerId(3), "a number twice");
    cluster.until_listening(third);
    let third_pid = cluster.pid(third);
    let answers = ask(&mut cluster, 36);
    let three = all(&[old[0], old[1], third_pid]);
    assert!(answers.is_subset(&three));
    assert!(!in_turns || answers == three, "{answers:?} of {three:?}");

    process::signal(old[0], Signal::KILL).unwrap();
    cluster.until_exit(states[0].id);
    assert_eq!(story(&cluster.seen, states[0].id), ["disconnect", "exit"]);
    let exit = exit_of(&cluster.seen, states[0].id);
    assert_eq!(exit, Some((KILLED, false)));
    let answers = ask(&mut cluster, 12);
    assert!(answers.is_subset(&all(&[old[1], third_pid])));

    // Its seat, and with its own socket what waits there.
    let fourth = cluster.fork(0);
    cluster.until_listening(fourth);
    cluster.primary.disconnect(states[1].id);
    cluster.until_exit(states[1].id);
    let exit = exit_of(&cluster.seen, states[1].id);
    assert_eq!(exit, Some((ExitStatus::Code(0), true)));
    let answers = ask(&mut cluster, 12);
    assert!(answers.is_subset(&all(&[third_pid, cluster.pid(fourth)])));
}

#[test]
fn a_killed_primary_of_turns_is_followed() {
    a_killed_primary_is_followed("a_killed_primary_of_turns_is_followed", Policy::RoundRobin);
}

#[test]
fn a_killed_primary_of_the_fewest_is_followed() {
    a_killed_primary_is_followed("a_killed_primary_of_the_fewest_is_followed", Policy::Least);
}

#[test]
fn a_killed_primary_of_one_socket_is_followed() {
    a_killed_primary_is_followed("a_killed_primary_of_one_socket_is_followed", Policy::Shared);
}

#[test]
fn a_killed_primary_of_own_sockets_is_followed() {
    a_killed_primary_is_followed(
        "a_killed_primary_of_own_sockets_is_followed",
        Policy::Kernel,
    );
}

#[test]
fn a_killed_primary_of_sticky_clients_is_followed() {
    a_killed_primary_is_followed(
        "a_killed_primary_of_sticky_clients_is_followed",
        Policy::Sticky,
    );
}

/// Connections that the workers had not looked at when the primary was killed; their answers are
/// about numbers that the next primary has never given.
#[test]
fn what_was_on_its_way_to_a_worker_still_arrives() {
    let test = "what_was_on_its_way_to_a_worker_still_arrives";
    let killed = killed::start(test, Policy::RoundRobin, SERVER);
    let pids = killed.worker_pids();
    for pid in &pids {
        process::signal(*pid, Signal::STOP).unwrap();
    }
    let port = killed.port;
    let ask = move || Ok(answer_to(port, 2));
    let asked: Vec<_> = (0..2).map(|_| std::thread::spawn(ask)).collect();
    killed.until_all_are_given_something();
    let mut cluster = killed.restore();
    let later: Vec<_> = (0..4).map(|_| cluster.ask("/")).collect();
    for pid in &pids {
        process::signal(*pid, Signal::CONT).unwrap();
    }
    for answers in [asked, later] {
        let answers = cluster.answers(answers);
        assert!(answers.iter().all(|pid| pids.contains(pid)));
    }
    let states = cluster.primary.workers();
    assert!(states.iter().all(|it| it.connected), "{:?}", cluster.seen);
    assert_eq!(cluster.primary.connections_in_hand(), 0);
    let asked = (0..24).map(|_| cluster.ask("/")).collect();
    let answers: BTreeSet<u32> = cluster.answers(asked).into_iter().collect();
    assert_eq!(answers.len(), 2);
}

#[test]
fn a_worker_that_died_with_its_primary_is_reported_when_that_is_told() {
    let test = "a_worker_that_died_with_its_primary_is_reported_when_that_is_told";
    let killed = killed::start(test, Policy::Kernel, SERVER);
    let dead = killed.worker_pids()[0];
    let mut cluster = killed.restore_after(|| process::signal(dead, Signal::KILL).unwrap());
    cluster.until_exit(WorkerId(1));
    assert_eq!(story(&cluster.seen, WorkerId(1)), ["disconnect", "exit"]);
    let next = cluster.fork(0);
    cluster.until_listening(next);
    let asked = (0..24).map(|_| cluster.ask("/")).collect();
    let answers: BTreeSet<u32> = cluster.answers(asked).into_iter().collect();
    let living = [cluster.pid(WorkerId(2)), cluster.pid(next)];
    assert!(answers.iter().all(|pid| living.contains(pid)));
}

#[test]
fn numbers_are_not_used_twice_and_what_is_missing_is_noticed() {
    let test = "numbers_are_not_used_twice_and_what_is_missing_is_noticed";
    let killed = killed::start(test, Policy::RoundRobin, SERVER);
    let seq = |json: &str| -> i64 {
        let document: serde_json::Value = serde_json::from_str(json).unwrap();
        document["primary"]["seq"].as_i64().unwrap()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    let restore = |json: &str, without: &str| {
        let mut take = |name: &str| -> Option<OwnedFd> {
            let fd = killed.held.get(name).filter(|_| name != without)?;
            Some(fd.as_fd().try_clone_to_owned().unwrap())
        };
        Primary::restore(support::settings(Policy::RoundRobin), json, &mut take)
    };
    let missing = restore(&killed.json, "listener-0").unwrap_err().to_string();
    assert!(missing.contains("listener-0"), "{missing}");
    for bad in ["", "{}", "[1]", &killed.json[1..]] {
        restore(bad, "").unwrap_err();
    }
    let later = killed.json.replace("\"form\":1", "\"form\":2");
    assert_ne!(later, killed.json);
    restore(&later, "").unwrap_err();

    let again = restore(&killed.json, "").unwrap().facts().unwrap().json;
    assert!(seq(&again) > seq(&killed.json));
    let third = restore(&again, "").unwrap().facts().unwrap().json;
    assert!(seq(&third) > seq(&again));

    // Without its channel a worker counts as disconnected.
    let mut primary = restore(&killed.json, "channel-2").unwrap();
    let events = runtime.block_on(async {
        let mut events = Vec::new();
        while !matches!(events.last(), Some(Event::Disconnect { .. })) {
            let next = tokio::time::timeout(DEADLINE, primary.next_event()).await;
            events.push(next.unwrap().unwrap());
        }
        events
    });
    assert_eq!(story(&events, WorkerId(2)), ["disconnect"]);
    let connected: Vec<bool> = primary.workers().iter().map(|it| it.connected).collect();
    assert_eq!(connected, [true, false]);
}
