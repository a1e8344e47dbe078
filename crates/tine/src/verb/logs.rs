//! `tine logs`: what processes have written, and what they write.

use crate::args::see::Logs;
use crate::daemon;
use crate::exit;
use crate::show::line::{Form, Lines};
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_control::client::{Client, Heard};
use tine_control::request::{self, Stream};
use tine_control::{Note, Target};

pub(crate) fn run(args: &Logs, ui: Ui) -> Result<u8, Trouble> {
    let mut client = if args.targets.is_empty() {
        daemon::must_be_there()?
    } else {
        daemon::for_targets(&args.targets)?
    };
    let target = daemon::target(&args.targets);
    let form = match (args.raw, args.json, args.format) {
        (true, _, _) => Form::Raw,
        (_, true, _) => Form::Json,
        (_, _, true) => Form::Format,
        _ => Form::Prefixed,
    };
    // Those that are there now say how wide the prefix is; and a target that means nothing is
    // told at once.
    let listed = client.ask(&request::List {
        target: target.clone(),
    })?;
    let mut lines = Lines::new(
        form,
        ui,
        args.timestamp.as_deref(),
        args.highlight.as_deref(),
    );
    lines.expect(&listed.processes);
    let verb = request::Logs {
        target,
        lines: args.lines,
        follow: !args.nostream,
        stream: match (args.out, args.err) {
            (true, _) => Some(Stream::Out),
            (_, true) => Some(Stream::Err),
            _ => None,
        },
    };
    stream(&mut client, &verb, lines, ui)
}

/// Shows what these processes write from now on: `--attach` of other verbs.
pub(crate) fn follow(client: &mut Client, ids: &[u32], ui: Ui) -> Result<u8, Trouble> {
    let verb = request::Logs {
        target: Target::Several(ids.iter().copied().map(Target::Id).collect()),
        lines: 0,
        follow: true,
        stream: None,
    };
    stream(
        client,
        &verb,
        Lines::new(Form::Prefixed, ui, None, None),
        ui,
    )
}

fn stream(
    client: &mut Client,
    verb: &request::Logs,
    mut lines: Lines,
    ui: Ui,
) -> Result<u8, Trouble> {
    // Lines come when they come.
    client.set_limit(None);
    let mut trouble = None;
    client.ask_with(verb, |note| match note {
        Note::Line {
            process,
            stream,
            at,
            text,
        } => match lines.line(&process, stream, at, &text) {
            Ok(true) => Heard::GoOn,
            Ok(false) => Heard::Cancel,
            Err(error) => {
                trouble = Some(error);
                Heard::Cancel
            }
        },
        Note::Skipped { lines } => {
            ui.warn(&format!(
                "{lines} lines came too fast and are left out here"
            ));
            Heard::GoOn
        }
        Note::Process { .. } | Note::Progress { .. } | Note::Said { .. } | Note::Unknown => {
            Heard::GoOn
        }
    })?;
    match trouble {
        Some(trouble) => Err(trouble),
        None => Ok(exit::DONE),
    }
}
