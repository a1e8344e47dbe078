//! logs, flush, reloadLogs: what do processes say?

use super::super::output::Wants;
use super::super::registry::Registry;
use super::super::target;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tine_control::reply::{Done, Flushed};
use tine_control::request::{Flush, Logs, Stream};
use tine_control::server::Responder;
use tine_control::{Answer, Failure, Note, Target, Who};

/// Bytes that are read from the end of a file for the last lines of it.
const MOST_BYTES: usize = 4 << 20;

/// Which lines somebody wants who follows a target.
#[derive(Debug)]
struct Chosen {
    /// None: of all processes, also those to come.
    ids: Option<BTreeSet<u32>>,
    /// The apps whose further processes are wanted too.
    names: BTreeSet<String>,
    stream: Option<Stream>,
}

impl Wants for Chosen {
    fn wants(&self, who: &Who, stream: Stream) -> bool {
        self.stream.is_none_or(|wanted| wanted == stream)
            && self
                .ids
                .as_ref()
                .is_none_or(|ids| ids.contains(&who.id) || self.names.contains(&who.name))
    }
}

pub(super) async fn logs(registry: &Registry, logs: Logs, reply: Responder) {
    let meant = match target::find(registry, &logs.target) {
        Ok(meant) => meant,
        Err(failure) => return reply.finish(Err::<Answer, _>(failure)),
    };
    let mut names = BTreeSet::new();
    let mut ids = BTreeSet::new();
    // A file that several processes write is shown once, under the first of them.
    let mut files: BTreeMap<PathBuf, (Who, Stream)> = BTreeMap::new();
    for meant in &meant {
        let core = meant.app.core.borrow();
        if meant.slots.len() == core.slots.len() {
            names.insert(core.spec.name.clone());
        }
        for slot in &meant.slots {
            let Some(entry) = core.slots.get(slot) else {
                continue;
            };
            ids.insert(entry.id);
            let paths = core.paths(entry.id);
            for (path, stream) in [(paths.out, Stream::Out), (paths.error, Stream::Err)] {
                if let Some(path) = path
                    && logs.stream.is_none_or(|wanted| wanted == stream)
                {
                    files.entry(path).or_insert((core.who(*slot), stream));
                }
            }
        }
    }
    let chosen = Chosen {
        ids: (logs.target != Target::All).then_some(ids),
        names,
        stream: logs.stream,
    };
    // Before the files are read, so that no line falls between.
    let following = logs
        .follow
        .then(|| registry.followers.follow(Box::new(chosen)));
    for (path, (who, stream)) in by_age(files) {
        for text in last_lines(&path, logs.lines) {
            let note = Note::Line {
                process: who.clone(),
                stream,
                at: None,
                text,
            };
            if reply.has_room().await.is_err() || reply.note(&note).is_err() {
                return reply.finish(Ok(Done {}));
            }
        }
    }
    if let Some((_follower, mut lines)) = following {
        loop {
            tokio::select! {
                () = reply.cancelled() => break,
                note = lines.recv() => {
                    let Some(note) = note else { break };
                    if reply.has_room().await.is_err() || reply.note(&note).is_err() {
                        break;
                    }
                }
            }
        }
    }
    reply.finish(Ok(Done {}));
}

fn last_lines(path: &Path, lines: u32) -> Vec<String> {
    let lines = usize::try_from(lines).unwrap_or(usize::MAX);
    // What cannot be read has no lines; `describe` shows where it should be.
    let found = tine_logs::tail(path, lines, MOST_BYTES).unwrap_or_default();
    found
        .into_iter()
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .collect()
}

/// The file that was written to last comes last.
fn by_age(files: BTreeMap<PathBuf, (Who, Stream)>) -> Vec<(PathBuf, (Who, Stream))> {
    let mut all: Vec<_> = files.into_iter().collect();
    all.sort_by_cached_key(|(path, _)| {
        std::fs::metadata(path)
            .and_then(|there| there.modified())
            .ok()
    });
    all
}

pub(super) fn flush(registry: &Registry, flush: &Flush) -> Result<Flushed, Failure> {
    let meant = target::find(registry, &flush.target)?;
    let mut files = BTreeSet::new();
    for meant in &meant {
        let core = meant.app.core.borrow();
        for slot in &meant.slots {
            let Some(entry) = core.slots.get(slot) else {
                continue;
            };
            let paths = core.paths(entry.id);
            files.extend(
                [paths.out, paths.error, paths.combined]
                    .into_iter()
                    .flatten(),
            );
        }
    }
    if flush.target == Target::All {
        files.insert(registry.home.log());
    }
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for path in files {
        if !path.exists() {
            continue;
        }
        match tine_logs::truncate(&path) {
            Ok(()) => done.push(path),
            Err(error) => failed.push(format!("emptying {}: {error}", path.display())),
        }
    }
    if !failed.is_empty() {
        let text = failed.join("; ");
        return Err(Failure::new(tine_control::ErrorCode::Failed, text)
            .hint("the other files were emptied"));
    }
    Ok(Flushed { files: done })
}

pub(super) fn reload_logs(registry: &Registry) -> Done {
    for app in registry.apps() {
        for slot in app.core.borrow().slots.values() {
            for process in slot.processes.values() {
                process.output.files.borrow_mut().reopen();
            }
        }
    }
    Done {}
}
