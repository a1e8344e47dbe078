//! `tine stop`: how processes are asked to leave, and what happens if they do not.

use std::time::{Duration, Instant};

use crate::support::*;

/// Says which signals and words have come, and stays.
const STAYS: &str = "for (const name of ['SIGINT', 'SIGTERM', 'SIGUSR2'])
    process.on(name, () => console.log('got', name));
process.on('message', (word) => console.log('got', word));
console.log('stays'); setInterval(() => {}, 1000);";

fn stays(home: &Home, words: &[&str]) -> u32 {
    home.write("stays.js", STAYS);
    start(home, &[&["stays.js"], words].concat());
    wait_text(home, ".tine/logs/stays-out.log", "stays\n");
    home.pid("stays")
}

#[test]
fn a_stopped_process_stays_in_the_list_and_is_not_replaced() {
    let home = home();
    start(&home, &["app.sh", "-i", "2"]);
    let pids = pids(&home, "app");
    let said = home.ok(["stop", "app"]);
    assert!(said.err.contains("2 stopped"), "{said:?}");
    // It has ended when the command says so.
    assert!(pids.iter().all(|pid| !process::is_alive(*pid)));
    assert_eq!(statuses(&home), "app stopped, app stopped");
    let process = home.process("app");
    assert_eq!(process["exits"][0]["asked"], true);
    assert_eq!(process["exits"][0]["signal"], "SIGINT");
    home.ok(["stop", "app"]);
}

#[test]
fn who_stays_is_killed_when_the_time_is_up() {
    let home = home();
    let pid = stays(&home, &["--kill-timeout", "300"]);
    let began = Instant::now();
    home.ok(["stop", "stays"]);
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(290), "{took:?}");
    assert!(!process::is_alive(pid));
    assert_eq!(home.process("stays")["exits"][0]["signal"], "SIGKILL");
    let log = home.read(".tine/logs/stays-out.log");
    assert!(log.contains("got SIGINT"), "{log}");
}

#[test]
fn no_time_at_all_means_at_once() {
    let home = home();
    stays(&home, &["--kill-timeout", "0"]);
    let began = Instant::now();
    home.ok(["stop", "stays"]);
    assert!(
        began.elapsed() < Duration::from_millis(1000),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(home.process("stays")["exits"][0]["signal"], "SIGKILL");
}

#[test]
fn the_signal_can_be_chosen() {
    let home = home();
    let words = ["--stop-signal", "SIGUSR2", "--kill-timeout", "500"];
    stays(&home, &words);
    home.ok(["stop", "stays"]);
    let log = home.read(".tine/logs/stays-out.log");
    assert!(
        log.contains("got SIGUSR2") && !log.contains("SIGINT"),
        "{log}"
    );
}

#[test]
fn a_message_can_take_the_place_of_the_signal() {
    let home = home();
    home.write(
        "asked.js",
        "process.on('message', (word) => { console.log('got', word); process.exit(0); });
         process.on('SIGINT', () => console.log('got SIGINT'));
         console.log('stays'); setInterval(() => {}, 1000);",
    );
    start(
        &home,
        &[
            "asked.js",
            "--shutdown-with-message",
            "--kill-timeout",
            "20000",
        ],
    );
    wait_text(&home, ".tine/logs/asked-out.log", "stays\n");
    home.ok(["stop", "asked"]);
    assert_eq!(
        home.read(".tine/logs/asked-out.log"),
        "stays\ngot shutdown\n"
    );
    assert_eq!(home.process("asked")["exits"][0]["code"], 0);
}

#[test]
fn several_names_ids_patterns_and_all_can_be_stopped() {
    let home = home();
    for name in ["one", "two", "three", "four"] {
        start(&home, &["app.sh", "--name", name]);
    }
    home.ok(["stop", "one", "1"]);
    assert_eq!(
        statuses(&home),
        "one stopped, two stopped, three online, four online"
    );
    home.ok(["stop", "/^thr/"]);
    assert_eq!(
        statuses(&home),
        "one stopped, two stopped, three stopped, four online"
    );
    home.ok(["stop", "all"]);
    assert_eq!(
        statuses(&home),
        "one stopped, two stopped, three stopped, four stopped"
    );
}

#[test]
fn who_is_not_there_cannot_be_stopped() {
    let home = home();
    home.refused(5, ["stop", "web"]).hints();
    start(&home, &["app.sh"]);
    for target in ["web", "9", "/web/"] {
        home.refused(5, ["stop", target])
            .says(target.trim_matches('/'))
            .hints();
    }
    // One of two: what is there is not touched by a slip of the finger.
    home.refused(5, ["stop", "app", "web"]).says("web");
    assert_eq!(statuses(&home), "app online");
}

#[test]
fn no_wait_does_not_wait_for_the_end() {
    let home = home();
    stays(&home, &["--kill-timeout", "1500"]);
    let said = home.ok(["stop", "stays", "--no-wait"]);
    assert!(said.err.contains("accepted"), "{said:?}");
    assert!(said.took < Duration::from_millis(1400), "{:?}", said.took);
    home.wait_status("stays", "stopped");
}

#[test]
fn one_that_waits_to_be_started_again_is_stopped_too() {
    let home = home();
    home.write("short.sh", "exit 1");
    home.run(["start", "short.sh", "--restart-delay", "60000"])
        .is(1);
    home.wait_status("short", "waiting restart");
    home.ok(["stop", "short"]);
    assert_eq!(statuses(&home), "short stopped");
}
