//! The load: wrk with bench/wrk.lua, loopback only, bounded in time.
#![allow(clippy::disallowed_methods)] // a chore is not part of the product: it may start programs itself

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::tools;
use crate::{Result, cleanup};

/// Connections open at the same time.
pub(crate) const CONNECTIONS: usize = 64;
const THREADS: usize = 2;

/// The two loads of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Connections stay open and carry one request after another.
    KeepAlive,
    /// Every request opens a connection and closes it (`Connection: close`).
    NewConnection,
}

impl Load {
    pub(crate) const ALL: [Load; 2] = [Load::KeepAlive, Load::NewConnection];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Load::KeepAlive => "keep-alive",
            Load::NewConnection => "one new connection per request",
        }
    }
}

/// What wrk saw.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) requests_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) errors: Errors,
}

/// Failures as wrk classifies them; `status` is an answer that is not 2xx or 3xx.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Errors {
    pub(crate) connect: u64,
    pub(crate) read: u64,
    pub(crate) write: u64,
    pub(crate) status: u64,
    pub(crate) timeout: u64,
}

impl Errors {
    pub(crate) fn named(self) -> [(&'static str, u64); 5] {
        [
            ("connect", self.connect),
            ("read", self.read),
            ("write", self.write),
            ("status", self.status),
            ("timeout", self.timeout),
        ]
    }
}

/// Loads `port` on 127.0.0.1 for `length` (whole seconds).
pub(crate) fn load(wrk: &Path, port: u16, load: Load, length: Duration) -> Result<Seen> {
    let mut command = Command::new(wrk);
    command
        .arg(format!("-t{THREADS}"))
        .arg(format!("-c{CONNECTIONS}"));
    command
        .arg(format!("-d{}s", length.as_secs()))
        .args(["--timeout", "2s", "-s"]);
    command.arg(tools::repository().join("bench/wrk.lua"));
    command.arg(format!("http://127.0.0.1:{port}/"));
    if load == Load::NewConnection {
        command.args(["--", "close"]);
    }
    let output = cleanup::run(&mut command, length + Duration::from_secs(15))?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse(&text).ok_or_else(|| {
        let complaint = String::from_utf8_lossy(&output.stderr);
        format!(
            "wrk ({}) gave no result: {}{}",
            output.status,
            complaint.trim(),
            text.trim()
        )
    })
}

fn parse(output: &str) -> Option<Seen> {
    let line = output.lines().find_map(|l| l.strip_prefix("result "))?;
    let value: Value = serde_json::from_str(line).ok()?;
    let number = |name: &str| value.get(name)?.as_u64();
    let requests = number("requests")?;
    let microseconds = number("microseconds")?;
    let milliseconds = |name: &str| Some(number(name)? as f64 / 1000.0);
    Some(Seen {
        requests,
        requests_per_second: requests as f64 * 1e6 / microseconds.max(1) as f64,
        p50_ms: milliseconds("p50")?,
        p99_ms: milliseconds("p99")?,
        p999_ms: milliseconds("p999")?,
        errors: Errors {
            connect: number("connect")?,
            read: number("read")?,
            write: number("write")?,
            status: number("status")?,
            timeout: number("timeout")?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"result {"requests":3000,"microseconds":2000000,"p50":900,"p99":4500,"p999":20000,"connect":1,"read":2,"write":3,"status":4,"timeout":5}"#;

    #[test]
    fn the_result_line_is_found_after_the_talk() {
        let seen = parse(&format!("Running 2s test\n  Latency 1ms\n{LINE}\n")).unwrap();
        assert_eq!((seen.requests, seen.requests_per_second), (3000, 1500.0));
        assert_eq!((seen.p50_ms, seen.p99_ms, seen.p999_ms), (0.9, 4.5, 20.0));
        let counts: Vec<u64> = seen.errors.named().iter().map(|(_, n)| *n).collect();
        assert_eq!(counts, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn an_incomplete_result_is_none() {
        assert_eq!(parse("Running 2s test\n"), None);
        assert_eq!(parse(&LINE.replace("\"p99\":4500,", "")), None);
        assert_eq!(parse(&LINE[..LINE.len() - 4]), None);
    }
}
