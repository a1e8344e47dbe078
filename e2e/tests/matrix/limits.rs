//! What can a runtime not do, and why?

use tine_testkit::Runtime;

use crate::cases::{Case, Finding};

/// Something that a runtime does not do as Node does, under any policy.
pub(crate) struct Limit {
    /// The name of its footnote.
    pub(crate) note: &'static str,
    runtime: Runtime,
    cases: &'static [Case],
    shows: Shows,
    /// For the footnote.
    pub(crate) reason: &'static str,
}

/// How a limit shows.
enum Shows {
    /// Everything is answered, but on sockets that the workers made without the primary.
    OnItsOwn,
    /// It fails, and among the words is this.
    Fails(&'static str),
}

pub(crate) const LIMITS: [Limit; 3] = [
    Limit {
        note: "bun-http",
        runtime: Runtime::Bun,
        cases: &[
            Case::KeepAlive,
            Case::NewConnections,
            Case::Express,
            Case::TwoPorts,
        ],
        shows: Shows::OnItsOwn,
        reason: "Bun's `http` servers never ask the primary for a socket: each worker binds the \
            port for itself with `SO_REUSEPORT`, and the kernel's hash chooses between them. All \
            requests are answered, but `--balance` has no effect: the shares are uneven, and what \
            waits on the socket of a worker that dies is lost. Bun's `net` servers ask, and are \
            balanced as those of Node are.",
    },
    Limit {
        note: "bun-port-0",
        runtime: Runtime::Bun,
        cases: &[Case::PortZero],
        shows: Shows::Fails("each worker has a port of its own"),
        reason: "For the same reason port 0 gives each worker of a Bun `http` server a port of its \
            own.",
    },
    Limit {
        note: "deno-udp",
        runtime: Runtime::Deno,
        cases: &[Case::Datagrams],
        shows: Shows::Fails("EADDRINUSE"),
        reason: "Deno's `node:dgram` never asks the primary for a socket: each worker binds the \
            port for itself, and all but the first get `EADDRINUSE`. With one worker it serves, but \
            nobody tells that it listens, so it is never reported as ready.",
    },
];

/// The mark for the table, if a cell was found as it should be.
///
/// # Errors
/// When a cell that should work does not, or one that should not does, or for other reasons.
pub(crate) fn judge(runtime: Runtime, case: Case, finding: &Finding) -> Result<String, String> {
    let limit = LIMITS
        .iter()
        .find(|limit| limit.runtime == runtime && limit.cases.contains(&case));
    let note = limit.map_or("", |limit| limit.note);
    match (limit.map(|limit| &limit.shows), finding) {
        (None, Finding::Works) => Ok("yes".to_owned()),
        (None, Finding::OnItsOwn) => {
            Err("it should work, but the workers do without the primary's sockets".to_owned())
        }
        (None, Finding::Fails(why)) => Err(format!("it should work, but: {why}")),
        (Some(_), Finding::Works) => Err(format!(
            "it works after all: take it off the list of limits ({note})"
        )),
        (Some(Shows::OnItsOwn), Finding::OnItsOwn) => Ok(format!("own[^{note}]")),
        (Some(Shows::Fails(words)), Finding::Fails(why)) if why.contains(words) => {
            Ok(format!("no[^{note}]"))
        }
        (Some(Shows::OnItsOwn), Finding::Fails(why)) => {
            Err(format!("not only as {note} has it: {why}"))
        }
        (Some(Shows::Fails(words)), Finding::Fails(why)) => Err(format!(
            "it should fail with {words:?} ({note}), but: {why}"
        )),
        (Some(Shows::Fails(words)), Finding::OnItsOwn) => Err(format!(
            "it should fail with {words:?} ({note}), but all is answered on the workers' own sockets"
        )),
    }
}

#[test]
fn a_limit_that_is_gone_is_noticed() {
    let gone = judge(Runtime::Bun, Case::KeepAlive, &Finding::Works);
    assert!(gone.is_err_and(|why| why.contains("works after all")));
    let other = Finding::Fails("EACCES".to_owned());
    assert!(judge(Runtime::Deno, Case::Datagrams, &other).is_err());
    assert!(judge(Runtime::Node18, Case::Datagrams, &Finding::OnItsOwn).is_err());
    assert_eq!(
        judge(Runtime::Node18, Case::Datagrams, &Finding::Works).as_deref(),
        Ok("yes")
    );
}
