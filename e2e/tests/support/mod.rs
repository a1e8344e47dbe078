//! What many of these tests need: programs, and the usual waiting.

#![allow(
    dead_code,
    unused_imports,
    reason = "each of the test programs needs some of it"
)]

use std::time::Duration;

pub(crate) use serde_json::{Value, json};
pub(crate) use tine_testkit::home::pid_of;
pub(crate) use tine_testkit::{Home, Signal, fixture, process, until};

/// Far longer than anything takes.
pub(crate) const SECONDS: Duration = Duration::from_secs(30);

/// Runs on, and says what it was given.
pub(crate) const SHELL: &str = "#!/bin/sh
echo \"args: $*\"
echo \"cwd: $PWD\"
echo complaint >&2
exec sleep 1000
";

/// As that, in Python. By itself it writes in blocks.
pub(crate) const PYTHON: &str = "import os, sys, time
print('args:', *sys.argv[1:], flush=True)
print('cwd:', os.getcwd(), flush=True)
time.sleep(1000)
";

/// As that, in Node, and not listening on anything.
pub(crate) const NODE: &str = "console.log('args:', ...process.argv.slice(2));
console.log('cwd:', process.cwd());
setInterval(() => {}, 1000);
";

/// A process counts as started when it has lived for this long: the shortest time there is.
pub(crate) const QUICK: [&str; 2] = ["--min-uptime", "100"];

/// A home with `app.sh`, `app.py` and `app.js` in it.
pub(crate) fn home() -> Home {
    let home = Home::new();
    home.write("app.sh", SHELL);
    home.write("app.py", PYTHON);
    home.write("app.js", NODE);
    home
}

/// Starts something with further words, and it is up.
#[track_caller]
pub(crate) fn start(home: &Home, words: &[&str]) -> tine_testkit::Said {
    home.ok([&["start"], words, &QUICK].concat())
}

/// As [`start`], where arguments for the program come at the end.
#[track_caller]
pub(crate) fn start_with(home: &Home, words: &[&str], arguments: &[&str]) {
    home.ok([&["start"], words, &QUICK, &["--"], arguments].concat());
}

/// The names in the list, with their statuses, in the order of the ids.
pub(crate) fn names(home: &Home) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = home.list();
    let names = list
        .iter()
        .map(|one| (text(&one["name"]), text(&one["status"])));
    names.collect()
}

/// The same as words: `web online, web online, job stopped`.
pub(crate) fn statuses(home: &Home) -> String {
    let words = names(home)
        .into_iter()
        .map(|(name, status)| format!("{name} {status}"));
    words.collect::<Vec<_>>().join(", ")
}

/// The numbers of the processes of an app, in the order of the ids.
pub(crate) fn pids(home: &Home, app: &str) -> Vec<u32> {
    let list = home.list();
    let of_app = list.iter().filter(|one| one["name"] == app);
    of_app.filter_map(pid_of).collect()
}

/// Waits until a file in the home has this text in it, and returns all of it.
#[track_caller]
pub(crate) fn wait_text(home: &Home, file: &str, text: &str) -> String {
    until(&format!("{text:?} in {file}"), SECONDS, || {
        let all = home.read(file);
        if all.contains(text) {
            Ok(all)
        } else {
            Err(format!("{all:?}"))
        }
    })
}

/// Waits until somebody has ended.
#[track_caller]
pub(crate) fn wait_gone(pid: u32) {
    until(&format!("the end of {pid}"), SECONDS, || {
        !process::is_alive(pid)
    });
}

/// A variable in the environment that the kernel says a process was started with.
pub(crate) fn variable(pid: u32, name: &str) -> Option<String> {
    let all = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let all = String::from_utf8_lossy(&all).into_owned();
    let mut all = all.split('\0').filter_map(|entry| entry.split_once('='));
    all.find(|(known, _)| *known == name)
        .map(|(_, value)| value.to_owned())
}

/// Its words, as the kernel has them.
pub(crate) fn command_line(pid: u32) -> Vec<String> {
    let all = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = all.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// Its effective user, as the kernel has it.
pub(crate) fn user(pid: u32) -> Option<u32> {
    let all = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = all.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Whether the tests are run by root, who alone may become somebody else.
pub(crate) fn is_root() -> bool {
    user(std::process::id()) == Some(0)
}

/// Whether a command has ended because of Ctrl-C, by itself or by the signal.
pub(crate) fn is_interrupted(status: std::process::ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    matches!(status.code(), Some(0 | 130)) || status.signal() == Some(2)
}

/// Numbers that look random; from a seed, so that what has failed can be done again.
pub(crate) struct Random(u64);

impl Random {
    /// From `TINE_TEST_SEED`, or else from the clock; says which on standard error, which is seen
    /// when the test fails.
    pub(crate) fn new() -> Random {
        let given = std::env::var("TINE_TEST_SEED")
            .ok()
            .and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
            u64::try_from(now.as_nanos() % (1 << 40)).unwrap()
        });
        eprintln!("TINE_TEST_SEED={seed}");
        Random(seed)
    }

    /// The next number (splitmix64).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap();
        usize::try_from(self.next() % end).unwrap()
    }
}
