//! Which apps and processes do the words of a command line mean?
//!
//! Between the command line and `tine-config`: its problems become [`Trouble`], its warnings are
//! said.

use crate::args::act::FileOptions;
use crate::daemon;
use crate::exit;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_config::file::find_default;
use tine_config::{
    Around, Kind, LoadOptions, Loaded, Options, Problem, Problems, Severity, Source, kind_of, load,
    load_names,
};
use tine_control::client::Client;
use tine_control::request::List;
use tine_control::{AppSpec, Changes, Target, Variables};

/// Variables that are meant for this very process and not for what is started from it.
const NOT_INHERITED: [&str; 10] = [
    "NODE_CHANNEL_FD",
    "NODE_CHANNEL_SERIALIZATION_MODE",
    "NODE_UNIQUE_ID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LISTEN_FDNAMES",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// What the shell of this command looks like.
///
/// # Errors
/// When the folder it is in is gone, or the daemon's cannot be told.
pub(crate) fn around() -> Result<Around, Trouble> {
    let home = daemon::home()?.folder().to_owned();
    Around::of_this_process(home).map_err(|problem| trouble(problem.into()))
}

/// The variables that apps inherit from this shell.
pub(crate) fn shell(around: &Around) -> Variables {
    around
        .env
        .iter()
        .filter(|(name, _)| !NOT_INHERITED.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Where a word says that apps are defined, if it names a process file.
pub(crate) fn source(word: &str, around: &Around) -> Option<Source> {
    match kind_of(word, around) {
        Kind::ProcessFile(path) => Some(Source::File(path)),
        Kind::Stdin => Some(Source::Stdin),
        Kind::Number(_) | Kind::Bare | Kind::Path(_) | Kind::Command => None,
    }
}

/// The same for a word that must be one, whatever its name.
pub(crate) fn source_or_file(word: &str, around: &Around) -> Source {
    source(word, around).unwrap_or_else(|| Source::File(around.absolute(word, &around.cwd)))
}

/// The apps of a process file, with the options of the command line over what it says.
///
/// # Errors
/// Everything that is wrong with the file.
pub(crate) fn file(
    source: &Source,
    chosen: &FileOptions,
    options: Options,
    around: &Around,
    ui: Ui,
) -> Result<Loaded, Trouble> {
    let wanted = LoadOptions {
        env: chosen.env.clone(),
        only: chosen.names(),
        options,
        ..LoadOptions::default()
    };
    let loaded = load(source, &wanted, around).map_err(|problems| said(problems, ui))?;
    warn(&loaded.warnings, ui);
    Ok(loaded)
}

/// The app that a script or command means.
///
/// # Errors
/// Why it cannot be started.
pub(crate) fn app(
    script: &str,
    arguments: &[String],
    options: &Options,
    around: &Around,
    ui: Ui,
) -> Result<AppSpec, Trouble> {
    let resolved = tine_config::start(script, arguments, options, around)
        .map_err(|problems| said(problems, ui))?;
    warn(&resolved.warnings, ui);
    Ok(resolved.app)
}

/// What options change of apps that are there already.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn changes(options: &Options, around: &Around, ui: Ui) -> Result<Changes, Trouble> {
    tine_config::changes(options, around).map_err(|problems| said(problems, ui))
}

/// What words mean to the daemon, which is asked what it has; a process file means those of its
/// apps that are there.
///
/// # Errors
/// When a process file cannot be read, or none of its apps is there, or `only` is given without
/// one.
pub(crate) fn target(
    words: &[String],
    only: &[String],
    client: &mut Client,
    ui: Ui,
) -> Result<Target, Trouble> {
    let around = around()?;
    let only = crate::args::words::names(only);
    let mut all = Vec::new();
    let mut absent = Vec::new();
    let mut from_file = false;
    for word in words {
        let Some(source) = source(word, &around) else {
            all.push(Target::from_words([word.as_str()], &around.cwd));
            continue;
        };
        from_file = true;
        let wanted = LoadOptions {
            only: only.clone(),
            ..LoadOptions::default()
        };
        let names = load_names(&source, &wanted, &around).map_err(|problems| said(problems, ui))?;
        let there = client.ask(&List::default())?.processes;
        for name in names {
            if there.iter().any(|one| one.name == name) {
                all.push(Target::Name(name));
            } else {
                absent.push(name);
            }
        }
    }
    if !only.is_empty() && !from_file {
        return Err(Trouble::usage(
            "--only chooses apps of a process file, and none is given",
        ));
    }
    let missing = format!("{} of the process file", absent.join(", "));
    if all.is_empty() {
        let text = format!("nothing is there of {missing}");
        return Err(Trouble::new(exit::NOT_FOUND, text).hint("`tine list` shows what there is"));
    }
    if !absent.is_empty() {
        ui.warn(&format!("nothing is there of {missing}"));
    }
    match (all.len(), all.pop()) {
        (1, Some(one)) => Ok(one),
        (_, last) => {
            all.extend(last);
            Ok(Target::Several(all))
        }
    }
}

/// Says the warnings among problems, and makes the errors one trouble.
pub(crate) fn said(problems: Problems, ui: Ui) -> Trouble {
    warn(&problems.0, ui);
    trouble(problems)
}

fn trouble(problems: Problems) -> Trouble {
    let mut texts = Vec::new();
    let mut hints = Vec::new();
    for problem in problems.errors() {
        texts.push(problem.to_string());
        hints.extend(problem.hint.clone());
    }
    // A hint that helps against several is given once.
    hints.dedup();
    Trouble::new(exit::CANNOT_START, texts.join("\n")).hint(hints.join("\n"))
}

/// Says what can be lived with.
pub(crate) fn warn(problems: &[Problem], ui: Ui) {
    for problem in problems {
        if problem.severity == Severity::Warning {
            ui.warn(&problem.to_string());
            ui.hint(problem.hint.as_deref().unwrap_or_default());
        }
    }
}

/// The process file of this folder.
///
/// # Errors
/// When there is none.
pub(crate) fn default_file(around: &Around) -> Result<String, Trouble> {
    match find_default(&around.cwd) {
        Some(path) => Ok(path.to_string_lossy().into_owned()),
        None => Err(Trouble::usage(format!(
            "there is no process file in {}",
            around.cwd.display()
        ))
        .hint("name a script, or write a process file with `tine init`")),
    }
}
