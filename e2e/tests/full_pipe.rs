//! A reader of tine's output that has stopped reading.

use std::io::{BufRead, BufReader, pipe};
use std::thread;
use std::time::Duration;

use tine_testkit::{Load, Tine, fixture, process, until};

const SECONDS: Duration = Duration::from_secs(20);
/// Far more than a pipe and tine's own queue hold, at about 20 bytes a line.
const LINES: usize = 200_000;

#[test]
fn workers_serve_on_and_no_line_is_lost_or_out_of_order() {
    let (reader, writer) = pipe().unwrap();
    // Worker 0 talks until nobody takes more; the other has nothing to say.
    let talker = tine_testkit::script(
        "talker.js",
        "if (process.env.NODE_APP_INSTANCE === '0') {
           process.stdout._handle?.setBlocking?.(false);
           for (let i = 1; i <= Number(process.env.LINES); i += 1) process.stdout.write(`out ${i}\\n`);
           process.stdout.end?.();
         }
         require('http').createServer((q, s) => s.end(`pid ${process.pid}`)).listen(process.env.PORT);",
    );
    let _ = talker;
    let tine = Tine::workers(fixture("chatty.js"), 2)
        .balance("rr")
        .stdout(writer)
        .start();
    tine.wait_ready(SECONDS);
    let pids = tine.children();
    // Lines of one worker until it is stuck in its write: its answer does not come.
    let port = tine.port();
    let asked = thread::spawn(move || {
        tine_testkit::http::get_within(port, &format!("/?lines={LINES}"), SECONDS * 3)
    });
    let stuck = until("a worker that waits for its pipe", SECONDS, || {
        pids.iter().copied().find(|pid| {
            let wait = std::fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
            wait.contains("pipe_write")
        })
    });
    // Everybody else is served.
    let report = Load::new(port)
        .connections(4)
        .new_connection_each(true)
        .run_until(500);
    report.assert_no_failures();
    assert!(!report.by_worker.contains_key(&stuck.to_string()));
    assert!(process::is_alive(stuck));
    // The reader comes back.
    let lines = thread::spawn(move || {
        BufReader::new(reader)
            .lines()
            .map_while(Result::ok)
            .collect::<Vec<_>>()
    });
    asked.join().unwrap().unwrap();
    assert_eq!(tine.stop(), 0);
    let lines = lines.join().unwrap();
    assert_eq!(lines.len(), LINES);
    for (number, line) in (1..).zip(&lines) {
        assert!(
            line.ends_with(&format!(" | out {number}")),
            "{line} as line {number}"
        );
    }
}
