#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test may"
)]

use super::*;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// A process that has what it was given as its standard input, and ends with the test.
struct Holder {
    child: Child,
    /// A process below the child has it too, once this was read.
    below: String,
}

impl Holder {
    /// With a child of its own that holds it (and it does too).
    fn new(socket: impl Into<OwnedFd>) -> Self {
        Self::of("exec 3<&0; sleep 60 & echo $!; wait", socket.into())
    }

    fn of(script: &str, stdin: OwnedFd) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(stdin)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut below = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut below).unwrap();
        Self { child, below }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed()).unwrap()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if let Some(below) = self.below.trim().parse().ok().and_then(Pid::from_raw) {
            let _ = tine_sys::tree::signal(below, 9);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tcp() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

fn map(pairs: &[(u32, &[&str])]) -> HashMap<u32, Vec<String>> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    pairs.iter().map(|(key, all)| (*key, words(all))).collect()
}

#[test]
fn addresses_are_those_of_the_process_and_of_what_descends_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sock");
    let ((one, first), unix) = (tcp(), UnixListener::bind(&path).unwrap());
    let (holder, by_path) = (Holder::new(one), Holder::new(unix));
    let idle = Holder::of("echo; exec sleep 60", std::io::pipe().unwrap().0.into());
    let mut listening = Listening::default();
    let processes = [(1, holder.pid()), (2, by_path.pid()), (3, idle.pid())];
    let expected = map(&[(1, &[&first]), (2, &[path.to_str().unwrap()])]);
    assert_eq!(listening.look(&processes), expected);
    // From memory too; and one that is asked about no more is forgotten.
    assert_eq!(listening.look(&processes), expected);
    assert_eq!(listening.look(&processes[..1]), map(&[(1, &[&first])]));
    assert_eq!(listening.look(&processes), expected);
    assert!(tree_listens(holder.pid()));
    assert!(!tree_listens(idle.pid()));
}

#[test]
fn what_a_child_alone_holds_is_its_ancestors_too() {
    let (listener, address) = tcp();
    // The shell itself lets go of it.
    let script = "exec 3<&0 0</dev/null; sleep 60 & exec 3<&-; echo $!; wait";
    let holder = Holder::of(script, listener.into());
    let mut listening = Listening::default();
    let found = listening.look(&[(1, holder.pid())]);
    assert_eq!(found, map(&[(1, &[&address])]));
    assert!(tree_listens(holder.pid()));
}

#[test]
fn several_addresses_are_in_order_and_each_once() {
    let mut both = [tcp(), tcp()];
    both.sort_by_key(|(listener, _)| listener.local_addr().unwrap());
    let words: Vec<&str> = both.iter().map(|(_, address)| address.as_str()).collect();
    let mut listening = Listening::default();
    // This process itself; other tests listen meanwhile too.
    let found = listening.look(&[(1, rustix::process::getpid())]);
    let mine: Vec<&String> = found[&1]
        .iter()
        .filter(|word| words.contains(&word.as_str()))
        .collect();
    assert_eq!(mine, words);
}

#[test]
fn who_comes_to_listen_later_is_found_and_who_stops_is_not() {
    let script = "import socket, sys
s = None
for line in sys.stdin:
    if s: s.close(); s = None
    if line == 'listen\\n':
        s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
    print(s.getsockname()[1] if s else 0, flush=True)
";
    let mut child = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut tell = child.stdin.take().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut tell = |word: &str| {
        writeln!(tell, "{word}").unwrap();
        format!("127.0.0.1:{}", said.next().unwrap().unwrap())
    };
    let mut listening = Listening::default();
    let processes = [(1, Pid::from_raw(child.id().cast_signed()).unwrap())];
    tell("nothing");
    assert_eq!(listening.look(&processes), map(&[]));
    for _ in 0..2 {
        let address = tell("listen");
        assert_eq!(listening.look(&processes), map(&[(1, &[&address])]));
    }
    tell("nothing");
    assert_eq!(listening.look(&processes), map(&[]));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_socket_that_two_hold_is_both_and_a_newcomer_is_noticed() {
    let (listener, address) = tcp();
    let first = Holder::new(listener.try_clone().unwrap());
    let mut listening = Listening::default();
    assert_eq!(
        listening.look(&[(1, first.pid())]),
        map(&[(1, &[&address])])
    );
    let second = Holder::new(listener);
    let both = [(1, first.pid()), (2, second.pid())];
    let expected = map(&[(1, &[&address]), (2, &[&address])]);
    assert_eq!(listening.look(&both), expected);
    // The next process in the same place is another one.
    let (third, other) = tcp();
    let third = Holder::new(third);
    let moved = [(1, third.pid()), (2, second.pid())];
    assert_eq!(
        listening.look(&moved),
        map(&[(1, &[&other]), (2, &[&address])])
    );
}

#[test]
#[ignore = "measures"]
fn numbers() {
    let holders: Vec<Holder> = (0..1_000)
        .map(|_| Holder::of("echo; exec sleep 60", tcp().0.into()))
        .collect();
    let processes: Vec<(u32, Pid)> = (0..).zip(holders.iter().map(Holder::pid)).collect();
    let mut listening = Listening::default();
    let measure = |what: &str, work: &mut dyn FnMut() -> usize| {
        let begun = Instant::now();
        let found = work();
        println!("{what}: {found} in {:?}", begun.elapsed());
    };
    measure("all new", &mut || listening.look(&processes).len());
    for _ in 0..5 {
        measure("nothing new", &mut || listening.look(&processes).len());
    }
    let stranger = tcp();
    measure("a stranger's", &mut || listening.look(&processes).len());
    drop(stranger);
    let pid = holders[500].pid();
    measure("one", &mut || usize::from(tree_listens(pid)));
}
