//! The server as a worker.

use crate::Test;
use crate::common::{PATIENCE, command};
use crate::site::folder;
use std::io::Write as _;
use std::net::SocketAddr;
use tine_testkit::{Load, Program, get, until};

pub(crate) const TESTS: &[Test] = &[("workers_are_replaced_without_a_lost_request", replaced)];

fn replaced() {
    let folder = folder(&[("index.html", "home")]);
    let (stdin, mut ask) = std::io::pipe().unwrap();
    let command = command("primary", folder.path(), &[]);
    let program = Program::start_with_stdin("primary", command, stdin.into());
    let listens = |number: u32| {
        let word = format!("worker {number} listens on ");
        let line = program.wait_for_line(|line| line.text.starts_with(&word), &word, PATIENCE);
        line.text[word.len()..].to_owned()
    };
    let address = listens(1);
    assert_eq!(listens(2), address, "one port for both");
    let address: SocketAddr = address.parse().unwrap();
    assert_eq!(get(address, "/").unwrap().text(), "home");

    let load = Load::new(address).connections(4).also_keep_alive(4);
    let load = load.at_most(PATIENCE).run_in_background();
    // When the first two have gone, two others have served alone.
    for number in [1, 2] {
        load.wait_for_more(200, PATIENCE);
        ask.write_all(b"leave\n").unwrap();
        let word = format!("worker {number} ended: ");
        let line = program.wait_for_line(|line| line.text.starts_with(&word), &word, PATIENCE);
        assert_eq!(line.text, format!("{word}exit code 0, true"));
        listens(number + 2);
    }
    load.wait_for_more(200, PATIENCE);
    load.stop().assert_no_failures();

    // Without a primary they end by themselves.
    let workers = program.processes();
    assert_eq!(workers.len(), 2);
    drop(ask);
    assert_eq!(program.wait_exit(PATIENCE).code(), Some(0));
    until("the workers have ended", PATIENCE, || {
        workers
            .iter()
            .all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
    });
}
