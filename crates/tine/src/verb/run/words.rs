//! What is said of what happens.

use crate::style::{Role, Styles};
use std::fmt::Write as _;
use std::time::Duration;
use tine_daemon::foreground::{Holder, Report, Reporter, Stream};
use tine_daemon::rules::{Exit, Verdict};
use tine_daemon::{AppSpec, ListeningAddress, Sharing, signal_name};

/// Puts facts into words, in the colours of a terminal if there is one.
pub(super) struct Words {
    name: String,
    clustered: bool,
    wide: usize,
    out: Styles,
    err: Styles,
    ready: bool,
    silent: bool,
}

impl Words {
    /// `silent`: only what the app itself writes is shown.
    pub(super) fn new(spec: &AppSpec, silent: bool) -> Self {
        Self {
            name: spec.name.clone(),
            clustered: spec.clustered,
            wide: spec.rules.instances.saturating_sub(1).to_string().len(),
            out: Styles::of(&std::io::stdout()),
            err: Styles::of(&std::io::stderr()),
            ready: false,
            silent,
        }
    }

    /// The first line.
    pub(super) fn begin(&self, spec: &AppSpec) -> String {
        let what = match (spec.clustered, spec.rules.instances) {
            (true, 1) => "1 worker".to_owned(),
            (true, workers) => format!("{workers} workers"),
            (false, 1) => "1 process".to_owned(),
            (false, processes) => format!("{processes} processes"),
        };
        self.own(&format!("starting {} ({what})", self.name))
    }

    /// The last line of an app that was given up. It is an error, so silence does not mute it.
    pub(super) fn given_up(&self) -> String {
        let text = self
            .err
            .paint(Role::Bad, &format!("{} was given up", self.name));
        format!("{} {text}\n", self.err.paint(Role::Own, "tine:"))
            + &self
                .hint("see the last lines above; --max-restarts allows more tries, --no-autorestart is for \
                 programs that are meant to end")
    }

    /// Who has the port: a line for each process, the first few.
    fn holders(&self, holders: &[Holder]) -> String {
        const SHOWN: usize = 2;
        let mut processes: Vec<&Holder> = holders.iter().collect();
        processes.sort_by_key(|holder| holder.pid);
        processes.dedup_by_key(|holder| holder.pid);
        let mut text = String::new();
        for holder in processes.iter().take(SHOWN) {
            let plain = holder
                .command
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c });
            let short: String = plain.take(80).collect();
            let (pid, address) = (holder.pid, holder.address);
            text += &self.hint(&format!("pid {pid} holds {address}: {short}"));
        }
        if processes.len() > SHOWN {
            let more = processes.len() - SHOWN;
            text += &self.hint(&format!("and {more} more, most likely its workers"));
        }
        text
    }

    fn own(&self, text: &str) -> String {
        if self.silent {
            return String::new();
        }
        format!("{} {text}\n", self.err.paint(Role::Own, "tine:"))
    }

    fn hint(&self, text: &str) -> String {
        if self.silent {
            return String::new();
        }
        format!("{} {text}\n", self.err.paint(Role::Hint, "hint:"))
    }

    fn slot(&self, slot: usize) -> String {
        self.err
            .paint(Role::Slot(slot), &format!("{}:{slot}", self.name))
    }
}

impl Reporter for Words {
    fn prefix(&self, slot: usize, stream: Stream) -> String {
        let name = format!("{}:{slot:<wide$}", self.name, wide = self.wide);
        let styles = match stream {
            Stream::Out => self.out,
            Stream::Err => self.err,
        };
        format!("{} | ", styles.paint(Role::Slot(slot), &name))
    }

    fn words(&mut self, report: &Report) -> String {
        match report {
            Report::Started { slot, pid } => {
                self.own(&format!("{} started, pid {pid}", self.slot(*slot)))
            }
            Report::Listening { slot, address } => {
                let at = place(address);
                self.own(&format!("{} listening on {at}", self.slot(*slot)))
            }
            Report::AllReady {
                workers,
                addresses,
                after,
            } => {
                if std::mem::replace(&mut self.ready, true) || !self.clustered {
                    return String::new();
                }
                let ready = self.err.paint(Role::Good, "ready");
                let where_to = places(addresses);
                let workers = plural(*workers, "worker");
                self.own(&format!(
                    "{} {ready} in {}: {workers} on {where_to}",
                    self.name,
                    span(*after)
                ))
            }
            Report::ListenFailed {
                slot,
                address,
                reason,
                in_use,
                holders,
            } => {
                let refused = self.err.paint(Role::Bad, "cannot listen");
                let at = place(address);
                let slot = self.slot(*slot);
                let mut text = self.own(&format!("{slot} {refused} on {at}: {reason}"));
                text += &self.holders(holders);
                if *in_use && holders.is_empty() {
                    text += &self.hint(match address {
                        ListeningAddress::Unix(_) => {
                            "the file is there already: if nobody listens on it, remove it"
                        }
                        _ => {
                            "another process has it, and its owner is not ours to see: try as root"
                        }
                    });
                }
                text
            }
            Report::AcceptFailed { address, reason } => {
                let failed = self.err.paint(Role::Bad, "cannot accept");
                let at = place(address);
                let text = format!("{failed} connections on {at}: {reason}; they wait");
                self.own(&text)
                    + &self.hint("raise the limit of open files (ulimit -n) for tine itself")
            }
            Report::SpawnFailed { slot, reason, next } => {
                let failed = self.err.paint(Role::Bad, "cannot be started");
                let then = then(*next);
                self.own(&format!("{} {failed}: {reason}; {then}", self.slot(*slot)))
            }
            Report::ChannelBroken { slot, reason } => self.own(&format!(
                "{}'s channel was closed: {reason}",
                self.slot(*slot)
            )),
            Report::Ended {
                slot,
                pid,
                exit,
                lived,
                next,
            } => {
                let how = ended(*exit);
                let then = then(*next);
                let slot = self.slot(*slot);
                let lived = span(*lived);
                self.own(&format!(
                    "{slot} (pid {pid}) ended with {how} after {lived}; {then}"
                ))
            }
            Report::Errored {
                slot,
                ends,
                last_lines,
            } => {
                let errored = self.err.paint(Role::Bad, "errored");
                let times = plural(usize::try_from(*ends).unwrap_or(usize::MAX), "short life");
                let slot = self.slot(*slot);
                let mut text = self.own(&format!("{slot} {errored} after {times} in a row"));
                if !last_lines.is_empty() {
                    text += &self.own("its last lines were:");
                }
                for line in last_lines {
                    let _ = writeln!(text, "    {line}");
                }
                text
            }
            Report::Stopping {
                processes,
                kill_timeout,
            } => {
                let processes = plural(*processes, "process");
                let patience = span(*kill_timeout);
                self.own(&format!(
                    "stopping {processes}, at most {patience}; Ctrl-C again ends them at once"
                ))
            }
            Report::Killed { slot, after } => {
                let killed = self.err.paint(Role::Bad, "killed");
                let slot = self.slot(*slot);
                self.own(&format!(
                    "{slot} did not leave in {}; {killed}",
                    span(*after)
                ))
            }
            Report::Stopped { after } => self.own(&format!("stopped in {}", span(*after))),
            _ => String::new(),
        }
    }
}

fn plural(count: usize, what: &str) -> String {
    match (count, what) {
        (1, _) => format!("1 {what}"),
        (_, "process") => format!("{count} processes"),
        (_, "short life") => format!("{count} short lives"),
        _ => format!("{count} {what}s"),
    }
}

/// An address as one would type it.
fn place(address: &ListeningAddress) -> String {
    match address {
        ListeningAddress::Tcp(address) if address.ip().is_unspecified() => {
            format!("http://localhost:{}", address.port())
        }
        ListeningAddress::Tcp(address) => format!("http://{address}"),
        other => other.to_string(),
    }
}

/// Addresses that are shared in the same way stand together.
fn places(addresses: &[(ListeningAddress, Sharing)]) -> String {
    let mut ways: Vec<(String, Vec<String>)> = Vec::new();
    for (address, sharing) in addresses {
        let (address, how) = (place(address), sharing.to_string());
        match ways.iter_mut().find(|(known, _)| *known == how) {
            Some((_, places)) => places.push(address),
            None => ways.push((how, vec![address])),
        }
    }
    let texts = ways
        .iter()
        .map(|(how, places)| format!("{}; {how}", places.join(", ")));
    texts.collect::<Vec<_>>().join(", and on ")
}

fn then(next: Verdict) -> String {
    match next {
        Verdict::AtOnce => "replacing it now".to_owned(),
        Verdict::After(delay) => format!("replacing it in {}", span(delay)),
        Verdict::Errored => "giving it up".to_owned(),
        Verdict::Finished => "finished".to_owned(),
    }
}

fn ended(exit: Exit) -> String {
    match (exit.code, exit.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => {
            signal_name(signal).map_or(format!("signal {signal}"), ToOwned::to_owned)
        }
        (None, None) => "an unknown status".to_owned(),
    }
}

fn span(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0..1000 => format!("{millis} ms"),
        1000..60_000 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{} min {} s", millis / 60_000, millis / 1000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short_to_read() {
        assert_eq!(span(Duration::from_millis(7)), "7 ms");
        assert_eq!(span(Duration::from_millis(1600)), "1.6 s");
        assert_eq!(span(Duration::from_secs(125)), "2 min 5 s");
    }

    #[test]
    fn what_is_said_of_an_address_is_true_of_that_address() {
        let tcp = |port| ListeningAddress::Tcp(([0, 0, 0, 0], port).into());
        let udp = ListeningAddress::Udp(([0, 0, 0, 0], 53).into());
        let all = [
            (tcp(1), Sharing::PassedOn),
            (udp, Sharing::OneSocket),
            (tcp(2), Sharing::PassedOn),
        ];
        assert_eq!(
            places(&all),
            "http://localhost:1, http://localhost:2; rr: passed on in exact turns, and on \
             udp 0.0.0.0:53; shared: all workers use one socket"
        );
    }

    #[test]
    fn an_address_can_be_pasted_into_a_browser() {
        let any = ListeningAddress::Tcp(([0, 0, 0, 0], 3000).into());
        assert_eq!(place(&any), "http://localhost:3000");
        let one = ListeningAddress::Tcp(([127, 0, 0, 1], 80).into());
        assert_eq!(place(&one), "http://127.0.0.1:80");
    }
}
