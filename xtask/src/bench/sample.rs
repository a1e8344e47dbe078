//! Which worker answers: requests by hand, read with the pid in the header.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::Result;

const LIMIT: Duration = Duration::from_secs(5);

/// Answers per pid, and requests that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) answers: BTreeMap<u32, u64>,
    pub(crate) failures: u64,
}

impl Tally {
    fn count(&mut self, answer: Result<u32>) {
        match answer {
            Ok(pid) => *self.answers.entry(pid).or_default() += 1,
            Err(_) => self.failures += 1,
        }
    }

    /// Answers of each of `workers`, those that gave none included.
    pub(crate) fn of(&self, workers: &[u32]) -> Vec<u64> {
        workers
            .iter()
            .map(|pid| self.answers.get(pid).copied().unwrap_or(0))
            .collect()
    }
}

/// One request over a connection of its own; the pid that answered.
pub(crate) fn one(port: u16) -> Result<u32> {
    ask(connect(port)?, "close")
}

/// `count` connections one after another, one request each.
pub(crate) fn sequential(port: u16, count: usize) -> Tally {
    let mut tally = Tally::default();
    for _ in 0..count {
        tally.count(one(port));
    }
    tally
}

/// `count` connections open at the same time, one request each; where they were placed is where all their
/// requests would go.
pub(crate) fn together(port: u16, count: usize) -> Tally {
    let connections: Vec<_> = (0..count).map(|_| connect(port)).collect();
    let mut tally = Tally::default();
    // Nothing is dropped before the last answer: a closed connection could be counted as room.
    let mut open = Vec::new();
    for connection in connections {
        tally.count(connection.and_then(|c| {
            open.push(c.try_clone().map_err(|e| e.to_string())?);
            ask(c, "keep-alive")
        }));
    }
    tally
}

fn connect(port: u16) -> Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, LIMIT)
        .map_err(|e| format!("connecting to {address}: {e}"))?;
    stream
        .set_read_timeout(Some(LIMIT))
        .and_then(|()| stream.set_write_timeout(Some(LIMIT)))
        .map_err(|e| format!("limiting the time of a connection: {e}"))?;
    Ok(stream)
}

fn ask(mut stream: TcpStream, connection: &str) -> Result<u32> {
    let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .map_err(|e| format!("sending a request: {e}"))?;
    answer(BufReader::new(stream.take(64 * 1024)))
}

/// Reads one whole answer: status 200, X-Pid, and as much body as Content-Length says.
fn answer(mut input: impl BufRead) -> Result<u32> {
    let mut line = String::new();
    let mut next = |input: &mut dyn BufRead| {
        line.clear();
        match input.read_line(&mut line) {
            Ok(0) => Err("reading an answer: the connection was closed".to_owned()),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(e) => Err(format!("reading an answer: {e}")),
        }
    };
    let status = next(&mut input)?;
    if status.split_whitespace().nth(1) != Some("200") {
        return Err(format!("the answer is {status:?}"));
    }
    let (mut pid, mut length) = (None, 0);
    loop {
        let header = next(&mut input)?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "x-pid" => pid = value.trim().parse().ok(),
            "content-length" => length = value.trim().parse().unwrap_or(0),
            _ => {}
        }
    }
    let read = std::io::copy(&mut input.take(length), &mut std::io::sink());
    match read {
        Ok(n) if n == length => pid.ok_or_else(|| "the answer names no pid".to_owned()),
        Ok(n) => Err(format!("the answer ended after {n} of {length} bytes")),
        Err(e) => Err(format!("reading an answer: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_answer_names_its_process() {
        let text = "HTTP/1.1 200 OK\r\nX-Pid: 77\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(answer(text.as_bytes()), Ok(77));
    }

    #[test]
    fn an_answer_that_is_cut_or_an_error_fails() {
        for text in [
            "",
            "HTTP/1.1 502 Bad Gateway\r\nX-Pid: 77\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX-Pid: 77\r\n",
            "HTTP/1.1 200 OK\r\nX-Pid: 77\r\nContent-Length: 5\r\n\r\nhel",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        ] {
            assert!(answer(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn workers_that_never_answered_count_as_zero() {
        let mut tally = Tally::default();
        tally.count(Ok(5));
        tally.count(Ok(5));
        tally.count(Err("reset".to_owned()));
        assert_eq!((tally.of(&[4, 5]), tally.failures), (vec![0, 2], 1));
    }
}
