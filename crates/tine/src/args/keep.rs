//! What may be said to the verbs about the list as a whole, the daemon, and its settings?

use clap::{Args as Arguments, ValueEnum};
use std::path::PathBuf;

/// Save the list, for `tine resurrect`.
#[derive(Debug, Arguments)]
pub(crate) struct Save {
    /// Save an empty list too.
    #[arg(short, long)]
    pub(crate) force: bool,

    /// Print the daemon's answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Nothing but how the answer is shown.
#[derive(Debug, Clone, Copy, Default, Arguments)]
pub(crate) struct Plain {
    /// Print the answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Nothing at all.
#[derive(Debug, Clone, Copy, Default, Arguments)]
pub(crate) struct Bare {}

/// Write a setting.
#[derive(Debug, Arguments)]
pub(crate) struct Set {
    /// Its name, with `:` or `.` between the parts.
    #[arg(value_name = "KEY")]
    pub(crate) key: String,

    /// Its value.
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) value: String,
}

/// Read a setting, or all below a name, or all.
#[derive(Debug, Arguments)]
pub(crate) struct Get {
    /// Its name.
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<String>,

    /// Print the answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Remove a setting, or all below a name, or `all`.
#[derive(Debug, Arguments)]
pub(crate) struct Unset {
    /// Its name.
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
}

/// Read or write a setting.
#[derive(Debug, Arguments)]
pub(crate) struct Config {
    /// Its name; all settings if not given.
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<String>,

    /// Its value; it is read if not given.
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) value: Option<String>,

    /// Print the answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Write several settings.
#[derive(Debug, Arguments)]
pub(crate) struct MultiSet {
    /// Keys and values by turns, in one word: "a:b 1 c:d 2".
    #[arg(value_name = "PAIRS")]
    pub(crate) pairs: String,
}

/// Write a process file to begin with.
#[derive(Debug, Arguments)]
pub(crate) struct Init {
    /// Which one; ecosystem.config.js with what is asked for most often if not given.
    #[arg(value_name = "MODE")]
    pub(crate) mode: Option<InitMode>,
}

/// Which process file to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InitMode {
    /// One app in ecosystem.config.js and no more.
    Simple,
    /// The same in tine.toml, which needs no JavaScript.
    Toml,
}

/// Say what is wrong with a process file.
#[derive(Debug, Arguments)]
pub(crate) struct Check {
    /// The process file; that of this folder if not given.
    #[arg(value_name = "FILE")]
    pub(crate) path: Option<String>,

    /// Take the variables of `env_NAME` too.
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,

    /// Print what was found as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Make the list what a process file says, after showing the difference.
#[derive(Debug, Arguments)]
pub(crate) struct Apply {
    /// The process file, or `-`; that of this folder if not given.
    #[arg(value_name = "FILE")]
    pub(crate) path: Option<String>,

    /// Delete the apps that are not in the file.
    #[arg(long)]
    pub(crate) prune: bool,

    /// Only show the difference; the exit code is 1 if there is any.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do not ask, also on a terminal.
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Restart what changed instead of reloading it.
    #[arg(long)]
    pub(crate) restart: bool,

    /// Show the values of variables in the difference.
    #[arg(long)]
    pub(crate) show_values: bool,

    #[command(flatten)]
    pub(crate) file: super::act::FileOptions,

    #[command(flatten)]
    pub(crate) waiting: super::act::Waiting,
}

/// Print what a shell needs to complete words.
#[derive(Debug, Arguments)]
pub(crate) struct Completion {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// Which shell?
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Write the manual pages.
#[derive(Debug, Arguments)]
pub(crate) struct Man {
    /// The folder that they are written to.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
}
