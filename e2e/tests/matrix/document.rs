//! docs/compat.md: what the runs have shown, for users.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::{env, io};

use tine_testkit::Runtime;

use crate::Policy;
use crate::cases::Case;
use crate::limits::LIMITS;

const HOW: &str = "TINE_WRITE_COMPAT=1 cargo test -p e2e --test matrix";

const HEAD: &str = "\
<!-- Written by `TINE_WRITE_COMPAT=1 cargo test -p e2e --test matrix`; the same test fails when \
this file is not what it finds. -->

# Runtimes

What `tine run -i 2` was seen to do with unmodified programs, by the tests in `e2e/tests/matrix`:
every cell was run with the real binary, two workers, and the runtime in the version that
`scripts/runtimes.txt` pins.

";

const LEGEND: &str = "
**yes**: it does what the policy promises. **own**: everything is answered, but the workers listen
without the primary, so `--balance` has no effect. **no**: it does not work. The footnotes say why.

What a cell shows, each time with no request failed, nobody restarted, and a clean stop (exit code
0, nobody killed, no process, socket or file left):

| case | shown by |
|---|---|
| http keep-alive | 1000 requests over 8 kept connections; every worker gets some (`rr`, `kernel`) |
| http new connections | 500 requests one after another, then 500 by 8 clients |
| Express | 200 requests over kept connections, then 200 on new ones |
| net on a unix socket | 200 connections; the file is there, and gone after the stop |
| dgram | 200 questions and answers |
| two ports | 200 connections to each of two servers of the same program |
| port 0 | all workers get the same port; 200 connections to it |

Where connections come one after another, `rr` and `kernel` promise exact turns: no worker is ever
more than one connection ahead of another. Who holds the listening sockets is looked up in `/proc`:

| policy | listening sockets |
|---|---|
| `rr` | one, held by the primary alone, which accepts and passes connections on |
| `shared` | one, held by all, and whoever is first accepts |
| `kernel` | one for each worker; a program in the kernel gives the turns |

Datagrams are not accepted by anybody, so `dgram` is one socket held by all under every policy, as
in Node's own cluster. `kernel` is about TCP; a unix socket is `shared` there. Exact turns of `kernel`
need a kernel that lets the user load an eBPF program; without that the choice is random.

";

/// Puts a row into the document, or compares it with what stands there.
///
/// # Errors
/// When the document is not what it would be with this row, and how to write it.
pub(crate) fn settle(
    runtime: Runtime,
    policy: Policy,
    marks: &[(Case, String)],
) -> Result<(), String> {
    let path = path();
    let failed = |error: io::Error| format!("settling {}: {error}", path.display());
    // Rows are written by many tests at a time, of one process or of several.
    let lock = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compat.lock");
    let lock = File::create(lock).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let now = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        other => other.map_err(failed)?,
    };
    let text = document(&now, (runtime, policy), marks);
    if env::var_os("TINE_WRITE_COMPAT").is_some_and(|value| value == "1") {
        return fs::write(&path, text).map_err(failed);
    }
    let (mut stands, mut found) = (now.lines(), text.lines());
    loop {
        match (stands.next(), found.next()) {
            (None, None) => return Ok(()),
            (stands, found) if stands == found => {}
            (stands, found) => {
                return Err(format!(
                    "{} is not what was found\n stands: {}\n  found: {}\n\
                     hint: if that is right, run {HOW}",
                    path.display(),
                    stands.unwrap_or("nothing more"),
                    found.unwrap_or("nothing more")
                ));
            }
        }
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compat.md")
}

/// The document with this row; the others are as they stand in it now.
fn document(now: &str, row: (Runtime, Policy), marks: &[(Case, String)]) -> String {
    let mut text = HEAD.to_owned();
    let titles: Vec<&str> = Case::ALL.iter().map(|case| case.title()).collect();
    text += &format!("| runtime | policy | {} |\n", titles.join(" | "));
    text += &format!("|---|---|{}\n", "---|".repeat(titles.len()));
    for runtime in Runtime::ALL {
        for policy in Policy::ALL {
            let key = format!("| {} | {} |", title(runtime), policy.word());
            let cells = if (runtime, policy) == row {
                let mark = |case: &Case| marks.iter().find(|(marked, _)| marked == case);
                let cells: Vec<&str> = Case::ALL
                    .iter()
                    .map(|case| mark(case).map_or("?", |(_, mark)| mark))
                    .collect();
                format!(" {} |", cells.join(" | "))
            } else {
                let line = now.lines().find_map(|line| line.strip_prefix(&key));
                line.map_or_else(|| " ? |".repeat(titles.len()), ToOwned::to_owned)
            };
            text += &format!("{key}{cells}\n");
        }
    }
    text += LEGEND;
    for limit in &LIMITS {
        text += &format!("[^{}]: {}\n", limit.note, limit.reason);
    }
    text
}

/// `Node 18.20`: the last number of a version may differ from processor to processor.
fn title(runtime: Runtime) -> String {
    let name = match runtime {
        Runtime::Bun => "Bun",
        Runtime::Deno => "Deno",
        _ => "Node",
    };
    let version = runtime.version();
    let short = version.rsplit_once('.').map_or(version, |(short, _)| short);
    format!("{name} {short}")
}

#[test]
fn a_row_is_replaced_and_the_others_stay() {
    let marks = |mark: &str| -> Vec<(Case, String)> {
        Case::ALL
            .iter()
            .map(|case| (*case, mark.to_owned()))
            .collect()
    };
    let one = document("", (Runtime::Bun, Policy::Kernel), &marks("yes"));
    let row = |text: &str, start: &str| {
        text.lines()
            .find(|line| line.starts_with(start))
            .map(ToOwned::to_owned)
    };
    let bun = format!("| {} | kernel |", title(Runtime::Bun));
    let deno = format!("| {} | rr |", title(Runtime::Deno));
    assert_eq!(
        row(&one, &bun),
        Some(format!("{bun}{}", " yes |".repeat(7)))
    );
    assert_eq!(
        row(&one, &deno),
        Some(format!("{deno}{}", " ? |".repeat(7)))
    );
    let two = document(&one, (Runtime::Deno, Policy::RoundRobin), &marks("no"));
    assert_eq!(row(&two, &bun), row(&one, &bun));
    assert_eq!(
        row(&two, &deno),
        Some(format!("{deno}{}", " no |".repeat(7)))
    );
    let same = document(&two, (Runtime::Deno, Policy::RoundRobin), &marks("no"));
    assert_eq!(two, same);
}
