//! Which port does a Node worker's inspector listen on?
//!
//! Node's rule: only when a flag for the inspector is among the runtime's flags or in
//! `NODE_OPTIONS`, each worker gets `--inspect-port=` with a number of its own, counted up from
//! the primary's; after 65535 comes 1024.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

/// Node's default.
const BASE: u16 = 9229;
/// The first port that needs no privilege.
const FIRST: u32 = 1024;

/// Which inspector ports workers get, when they get one at all.
#[derive(Clone)]
#[non_exhaustive]
pub enum InspectPort {
    /// All the same; 0 for one that the kernel chooses.
    Fixed(u16),
    /// Whatever the function says, asked at every fork.
    Chosen(Arc<dyn Fn() -> u16 + Send + Sync>),
}

impl fmt::Debug for InspectPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(port) => write!(f, "Fixed({port})"),
            Self::Chosen(_) => f.write_str("Chosen(..)"),
        }
    }
}

/// The flag for the next worker, if it needs one. `given` counts those that did.
pub(super) fn flag(
    exec_argv: &[OsString],
    node_options: Option<&str>,
    wanted: Option<&InspectPort>,
    given: &mut u32,
) -> Option<OsString> {
    let flags = exec_argv.iter().filter_map(|flag| flag.to_str());
    let options = node_options.unwrap_or_default().split_ascii_whitespace();
    let inspecting: Vec<&str> = options
        .chain(flags)
        .filter(|flag| is_inspect(flag))
        .collect();
    if inspecting.is_empty() {
        return None;
    }
    let port = match wanted {
        Some(InspectPort::Fixed(port)) => *port,
        Some(InspectPort::Chosen(choose)) => choose(),
        None => match inspecting.iter().rev().find_map(|flag| port_of(flag)) {
            // Any free one: there is none to count up from.
            Some(0) => 0,
            base => {
                *given += 1;
                stepped(base.unwrap_or(BASE), *given)
            }
        },
    };
    Some(format!("--inspect-port={port}").into())
}

fn is_inspect(flag: &str) -> bool {
    let name = flag.split_once('=').map_or(flag, |(name, _)| name);
    matches!(
        name,
        "--inspect" | "--inspect-brk" | "--inspect-port" | "--debug-port" | "--inspect-wait"
    )
}

/// The port in `--inspect=host:port` or `--inspect=port`.
fn port_of(flag: &str) -> Option<u16> {
    let (_, value) = flag.split_once('=')?;
    value.rsplit(':').next()?.parse().ok()
}

fn stepped(base: u16, step: u32) -> u16 {
    let port = u32::from(base) + step;
    let last = u32::from(u16::MAX);
    let wrapped = if port > last {
        FIRST + (port - last - 1) % (last - FIRST + 1)
    } else {
        port
    };
    u16::try_from(wrapped).unwrap_or(BASE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(
        exec_argv: &[&str],
        options: Option<&str>,
        wanted: Option<&InspectPort>,
    ) -> Vec<String> {
        let exec_argv: Vec<OsString> = exec_argv.iter().map(OsString::from).collect();
        let mut given = 0;
        let mut next = || flag(&exec_argv, options, wanted, &mut given);
        let shown = |flag: Option<OsString>| flag.unwrap_or_default().into_string().unwrap();
        vec![shown(next()), shown(next())]
    }

    /// node: test-inspector-port-cluster
    /// node: test-cluster-inspect-brk
    #[test]
    fn each_worker_gets_the_next_port_when_anything_is_inspected() {
        let two = |one: u16, two: u16| [one, two].map(|port| format!("--inspect-port={port}"));
        assert_eq!(ports(&["--inspect"], None, None), two(9230, 9231));
        assert_eq!(ports(&["--inspect-brk=4000"], None, None), two(4001, 4002));
        assert_eq!(
            ports(&["--inspect=[::1]:4000"], None, None),
            two(4001, 4002)
        );
        assert_eq!(
            ports(&[], Some("--a --inspect=h:5000"), None),
            two(5001, 5002)
        );
        assert_eq!(ports(&["--inspect=65534"], None, None), two(65535, 1024));
        assert_eq!(ports(&["--inspect=0"], None, None), two(0, 0));
        assert_eq!(ports(&["--max-old-space-size=9"], None, None), ["", ""]);
    }

    /// node: test-inspector-port-zero-cluster
    #[test]
    fn a_number_or_a_function_decides_instead() {
        let fixed = InspectPort::Fixed(0);
        let both = ["--inspect-port=0", "--inspect-port=0"];
        assert_eq!(ports(&["--inspect"], None, Some(&fixed)), both);
        let chosen = InspectPort::Chosen(Arc::new(|| 7));
        assert_eq!(
            ports(&["--inspect"], None, Some(&chosen))[1],
            "--inspect-port=7"
        );
        assert_eq!(ports(&[], None, Some(&fixed)), ["", ""]);
    }
}
