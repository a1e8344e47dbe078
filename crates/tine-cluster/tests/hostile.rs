//! A worker that does its worst harms nobody but itself.
//!
//! The primary is a process of its own, so that its memory and descriptors can be looked at. Two
//! well-behaved Node workers serve under load all the time, and not one request may fail.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod probe_support;

use probe_support::{DEADLINE, Probe, Worker};
use tine_testkit::load::RunningLoad;
use tine_testkit::{Script, Signal, process, script, until};

const MIB: u64 = 1 << 20;

/// A primary under load, and how it looked before anything happened.
struct Scene {
    probe: Probe,
    load: RunningLoad,
    script: Script,
    descriptors: usize,
    peak: u64,
}

impl Scene {
    fn new(environment: &[(&str, &str)]) -> Self {
        let probe = Probe::serving(environment, 2);
        let descriptors = probe.descriptors();
        let load = probe.load();
        Self {
            script: script("hostile.py", include_str!("probe_support/hostile.py")),
            descriptors,
            peak: probe.peak(),
            probe,
            load,
        }
    }

    fn hostile(&self, kind: &str) -> Worker {
        let (script, port) = (self.script.as_ref().display(), self.probe.port);
        self.probe.fork(&format!("python3 {script} {kind} {port}"))
    }

    fn wait_done(&self, worker: Worker) {
        self.probe.wait(&format!("done {}", worker.pid));
    }

    /// Why its channel was closed.
    fn complaint(&self, worker: Worker) -> String {
        self.probe.wait(&format!("disconnect {} ", worker.id))
    }

    /// Waits until the worker sleeps in the kernel because its channel is full.
    fn waits_to_write(&self, worker: Worker) {
        until("the worker to be made to wait", DEADLINE, || {
            let place = std::fs::read_to_string(format!("/proc/{}/wchan", worker.pid));
            place.is_ok_and(|place| place.contains("alloc_send"))
        });
    }

    fn served(&self) {
        self.load.wait_for_more(100, DEADLINE);
    }

    /// How many numbers it sent that were taken, all in order.
    fn count(&self, worker: Worker) -> u64 {
        let from = self.probe.mark();
        self.probe.tell("report");
        self.probe.wait_from(from, "reported");
        assert_eq!(self.probe.lines("disorder"), [""; 0]);
        let begin = format!("count {} ", worker.id);
        let counts = self.probe.lines(&begin);
        counts
            .last()
            .map_or(0, |line| line[begin.len()..].parse().unwrap())
    }

    fn more_memory(&self) -> u64 {
        self.probe.peak() - self.peak
    }

    /// Ends the worker and looks at what is left of it.
    fn end(&self, worker: Worker) {
        self.served();
        self.probe.kill(worker);
        self.probe.wait_for_descriptors(self.descriptors);
    }

    /// Nobody noticed anything, and the primary never had so much more memory.
    fn finish(self, memory: u64) {
        self.served();
        let more = self.more_memory();
        assert!(more < memory, "{} KiB more than before", more / 1024);
        let servers = self.probe.lines("exit 1 ").len() + self.probe.lines("exit 2 ").len();
        assert_eq!(servers, 0, "a worker that did nothing has gone");
        self.load.stop().assert_no_failures();
    }
}

#[test]
fn whoever_breaks_the_protocol_loses_the_channel_and_is_told_of() {
    let scene = Scene::new(&[("LIMIT", "1048576")]);
    let cases = [
        ("json", "garbage", "not JSON"),
        ("json", "long", "longer than 1048576 bytes"),
        ("json", "leaving", "longer than 1048576 bytes"),
        ("advanced", "garbage", "not in V8's format"),
        ("advanced", "length", "longer than 1048576 bytes"),
        ("advanced", "long", "longer than 1048576 bytes"),
    ];
    for (how, kind, words) in cases {
        scene.probe.tell(how);
        let worker = scene.hostile(kind);
        let complaint = scene.complaint(worker);
        assert!(complaint.contains(words), "{how} {kind}: {complaint}");
        // It may live on, and is still known; only its channel is closed.
        if kind != "leaving" {
            assert!(process::is_alive(worker.pid), "{how} {kind}");
        }
        scene.end(worker);
    }
    scene.finish(16 * MIB);
}

#[test]
fn half_a_message_waits_for_ever_and_at_the_end_is_told_of() {
    let scene = Scene::new(&[]);
    for how in ["json", "advanced"] {
        scene.probe.tell(how);
        let worker = scene.hostile("half");
        scene.wait_done(worker);
        scene.served();
        let begin = format!("disconnect {} ", worker.id);
        assert_eq!(scene.probe.lines(&begin), [""; 0]);
        scene.end(worker);
        let complaint = scene.complaint(worker);
        assert!(complaint.contains("bytes into a message"), "{complaint}");
    }
    scene.finish(8 * MIB);
}

#[test]
fn who_dies_within_a_long_message_is_told_of_and_leaves_no_memory_behind() {
    let scene = Scene::new(&[]);
    let worker = scene.hostile("leaving");
    let complaint = scene.complaint(worker);
    assert!(complaint.contains("bytes into a message"), "{complaint}");
    scene.end(worker);
    scene.finish(24 * MIB);
}

#[test]
fn nesting_of_any_depth_is_no_danger() {
    let scene = Scene::new(&[]);
    for how in ["json", "advanced"] {
        scene.probe.tell(how);
        let worker = scene.hostile("deep");
        scene.wait_done(worker);
        scene.end(worker);
    }
    scene.finish(32 * MIB);
}

#[test]
fn a_million_tiny_messages_that_nobody_listens_to_are_let_go() {
    let scene = Scene::new(&[]);
    scene.probe.tell("drop");
    let worker = scene.hostile("tiny");
    scene.wait_done(worker);
    scene.served();
    process::signal(worker.pid, Signal::KILL).unwrap();
    scene.probe.wait_for_descriptors(scene.descriptors);
    scene.finish(16 * MIB);
}

#[test]
fn a_million_tiny_messages_arrive_in_order() {
    let scene = Scene::new(&[]);
    let worker = scene.hostile("tiny");
    scene.probe.wait(&format!("count {} 1000000", worker.id));
    scene.end(worker);
    assert_eq!(scene.count(worker), 1_000_000);
    scene.finish(24 * MIB);
}

#[test]
fn a_million_tiny_messages_wait_for_whoever_is_slow_and_then_arrive_in_order() {
    let scene = Scene::new(&[]);
    scene.probe.tell("leave");
    let worker = scene.hostile("tiny");
    // Those of others wait in the same queue, and are still taken from the channel.
    scene.waits_to_write(worker);
    scene.served();
    assert_eq!(
        scene.probe.lines("done"),
        [""; 0],
        "it was not made to wait"
    );
    scene.probe.tell("slow");
    scene.probe.wait(&format!("first {} 0", worker.id));
    scene.served();
    assert_eq!(
        scene.probe.lines("done"),
        [""; 0],
        "it was not made to wait"
    );
    assert!(scene.more_memory() < 24 * MIB, "{}", scene.more_memory());
    scene.probe.tell("take");
    scene.probe.wait(&format!("count {} 1000000", worker.id));
    scene.end(worker);
    assert_eq!(scene.count(worker), 1_000_000);
    scene.finish(24 * MIB);
}

#[test]
fn events_that_are_no_messages_wait_too() {
    let scene = Scene::new(&[]);
    scene.probe.tell("leave");
    let worker = scene.hostile("listening");
    scene.served();
    scene.waits_to_write(worker);
    assert_eq!(
        scene.probe.lines("done"),
        [""; 0],
        "it was not made to wait"
    );
    scene.probe.tell("take");
    scene.wait_done(worker);
    scene.end(worker);
    scene.finish(24 * MIB);
}

#[test]
fn sockets_that_nobody_asked_for_are_closed_when_nobody_takes_them() {
    let scene = Scene::new(&[]);
    for kind in ["handles", "bare", "several", "without"] {
        let worker = scene.hostile(kind);
        scene.wait_done(worker);
        scene.end(worker);
    }
    // Of every kind, 1,000 and as what they are; from envelopes without one nothing came.
    for kind in ["TcpStream", "UnixStream", "TcpListener", "Other"] {
        scene.probe.wait(&format!("handle 3 {kind} ×1000"));
    }
    assert_eq!(scene.probe.lines("handle 4"), [""; 0]);
    assert_eq!(scene.probe.lines("handle 6"), [""; 0]);
    scene.finish(24 * MIB);
}

#[test]
fn sockets_that_are_not_taken_are_few() {
    let scene = Scene::new(&[]);
    scene.probe.tell("leave");
    let worker = scene.hostile("handles");
    until("the worker to be made to wait", DEADLINE, || {
        scene.probe.descriptors() > scene.descriptors + 60
    });
    scene.served();
    // 64 that wait, what one read brings, and the hostile worker's own two.
    let most = scene.probe.descriptors();
    assert!(most < scene.descriptors + 64 + 8 + 8, "{most}");
    assert_eq!(
        scene.probe.lines("done"),
        [""; 0],
        "it was not made to wait"
    );
    scene.probe.tell("take");
    scene.wait_done(worker);
    scene.end(worker);
    scene.finish(16 * MIB);
}

#[test]
fn what_a_worker_says_of_its_sockets_is_not_kept_without_end() {
    let scene = Scene::new(&[]);
    let worker = scene.hostile("keys");
    scene.wait_done(worker);
    scene.end(worker);
    scene.finish(24 * MIB);
}

#[test]
fn who_asks_for_its_sockets_again_and_again_holds_nobody_up() {
    let scene = Scene::new(&[]);
    let worker = scene.hostile("counts");
    scene.wait_done(worker);
    scene.end(worker);
    scene.finish(16 * MIB);
}

#[test]
fn who_sends_sockets_and_reads_no_acknowledgement_loses_the_channel() {
    let scene = Scene::new(&[]);
    let worker = scene.hostile("handles-unread");
    scene.wait_done(worker);
    scene.end(worker);
    scene.finish(16 * MIB);
}

#[test]
fn all_that_a_worker_said_before_it_died_is_heard_also_what_came_with_sockets() {
    let scene = Scene::new(&[]);
    scene.probe.tell("leave");
    let worker = scene.hostile("many-and-die");
    until("its death", DEADLINE, || !process::is_alive(worker.pid));
    scene.probe.tell("take");
    scene.probe.wait(&format!("exit {} ", worker.id));
    assert_eq!(scene.count(worker), 200);
    scene.probe.wait_for_descriptors(scene.descriptors);
    scene.finish(16 * MIB);
}

#[test]
fn acknowledgements_and_answers_that_nobody_waits_for_change_nothing() {
    let scene = Scene::new(&[]);
    for kind in ["acks", "accepted", "foreign"] {
        let worker = scene.hostile(kind);
        scene.wait_done(worker);
        scene.served();
        let begin = format!("disconnect {} ", worker.id);
        assert_eq!(scene.probe.lines(&begin), [""; 0], "{kind}");
        scene.end(worker);
    }
    scene.finish(16 * MIB);
}

/// It is in the round and gets connections; they are others' as soon as it is gone.
#[test]
fn connections_and_sockets_that_are_never_acknowledged_come_back_at_its_end() {
    let scene = Scene::new(&[]);
    let worker = scene.hostile("mute");
    scene.wait_done(worker);
    scene.probe.tell(&format!("give {} 100", worker.id));
    until("connections on their way to it", DEADLINE, || {
        scene.probe.descriptors() >= scene.descriptors + 100
    });
    scene.served();
    let most = scene.probe.descriptors();
    assert!(most < scene.descriptors + 100 + 32, "{most}");
    scene.probe.kill(worker);
    until("100 words that it did not take them", DEADLINE, || {
        scene.probe.lines(&format!("not given {}", worker.id)).len() == 100
    });
    scene.probe.wait_for_descriptors(scene.descriptors);
    scene.finish(16 * MIB);
}

#[test]
fn one_worker_gets_a_thousand_sockets_and_no_more() {
    for (policy, kind, each) in [
        ("rr", "sockets", 1),
        ("shared", "sockets-udp", 1),
        // What holds the port, the worker's own, and what steers.
        ("kernel", "sockets", 6),
    ] {
        let scene = Scene::new(&[("POLICY", policy)]);
        let worker = scene.hostile(kind);
        scene.probe.wait(&format!("refused {} ", worker.id));
        scene.wait_done(worker);
        let most = scene.probe.descriptors();
        let least = scene.descriptors + 1000;
        let limit = scene.descriptors + 1000 * each + 20;
        assert!((least..limit).contains(&most), "{most}, {policy}");
        // Who comes now is served as before.
        let next = scene.probe.fork_server();
        scene.probe.wait(&format!("listening {} ", next.id));
        scene.probe.kill(worker);
        scene.finish(48 * MIB);
    }
}

#[test]
fn what_a_question_carries_is_not_kept_without_end() {
    let scene = Scene::new(&[]);
    let worker = scene.hostile("sockets-large");
    scene.wait_done(worker);
    scene.probe.wait(&format!("refused {} ", worker.id));
    scene.end(worker);
    scene.finish(24 * MIB);
}

#[test]
fn a_worker_gets_few_sockets_when_the_primary_has_few_descriptors() {
    let scene = Scene::new(&[]);
    let pid = rustix::process::Pid::from_raw(scene.probe.program.pid().cast_signed());
    let limit = rustix::process::Rlimit {
        current: Some(200),
        maximum: Some(20_000),
    };
    rustix::process::prlimit(pid, rustix::process::Resource::Nofile, limit).unwrap();
    let worker = scene.hostile("sockets");
    scene.probe.wait(&format!("refused {} ", worker.id));
    scene.served();
    let most = scene.probe.descriptors();
    assert!((90..130).contains(&most), "{most}");
    // There is room for others.
    let next = scene.probe.fork_server();
    scene.probe.wait(&format!("listening {} ", next.id));
    scene.probe.kill(worker);
    assert_eq!(scene.probe.lines("accept failed"), [""; 0]);
    scene.finish(16 * MIB);
}

#[test]
fn who_does_not_listen_to_the_channel_any_more_loses_it() {
    let scene = Scene::new(&[]);
    let worker = scene.hostile("deaf");
    scene.wait_done(worker);
    let answer = scene
        .probe
        .ask(&format!("send {} 1", worker.id), "not sent");
    assert!(answer.contains("closed"), "{answer}");
    let complaint = scene.complaint(worker);
    assert!(complaint.contains("Broken pipe"), "{complaint}");
    scene.end(worker);
    scene.finish(8 * MIB);
}

#[test]
fn a_stopped_worker_that_is_sent_much_holds_nobody_up() {
    let scene = Scene::new(&[]);
    let worker = scene.hostile("mute");
    scene.wait_done(worker);
    process::signal(worker.pid, Signal::STOP).unwrap();
    for _ in 0..10 {
        scene.probe.tell(&format!("fill {} 1000000", worker.id));
    }
    scene.served();
    assert_eq!(scene.probe.lines("filled"), [""; 0]);
    // 10 MB in the queue, twice for as long as they are being made.
    assert!(scene.more_memory() < 32 * MIB, "{}", scene.more_memory());
    scene.probe.kill(worker);
    until("10 words that it did not arrive", DEADLINE, || {
        scene
            .probe
            .lines(&format!("not filled {}", worker.id))
            .len()
            == 10
    });
    scene.probe.wait_for_descriptors(scene.descriptors);
    scene.finish(32 * MIB);
}

/// It writes on without an end, and still the dead worker's end is told.
#[test]
fn a_child_that_keeps_a_dead_workers_channel_is_not_listened_to() {
    let scene = Scene::new(&[]);
    let worker = scene.hostile("orphan");
    scene.wait_done(worker);
    scene.probe.wait(&format!("message {} ", worker.id));
    scene.probe.tell(&format!("send {} 1", worker.id));
    scene.probe.wait(&format!("exit {} exit code 3", worker.id));
    scene.complaint(worker);
    scene.probe.wait("the orphan has ended");
    scene.probe.wait_for_descriptors(scene.descriptors);
    scene.finish(24 * MIB);
}
