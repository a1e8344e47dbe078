//! What may be said to the verbs that show something?

use clap::{Args as Arguments, ValueEnum};

/// List the processes.
#[derive(Debug, Default, Arguments)]
pub(crate) struct List {
    /// Only these: names, ids, namespaces or /regex/.
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,

    /// By name, namespace, pid, id, cpu, memory, uptime, status or restarts; with :desc downwards.
    #[arg(long, value_name = "FIELD[:asc|desc]", value_parser = sorting)]
    pub(crate) sort: Option<Sorting>,

    /// A block of lines for each process.
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) mini_list: bool,

    /// Show it anew every second until Ctrl-C.
    #[arg(long, conflicts_with = "json")]
    pub(crate) watch: bool,

    /// Print the daemon's answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sorting {
    pub(crate) by: SortBy,
    pub(crate) downwards: bool,
}

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortBy {
    Name,
    Namespace,
    Pid,
    #[value(alias = "pm_id")]
    Id,
    Cpu,
    #[value(alias = "mem")]
    Memory,
    Uptime,
    Status,
    Restarts,
}

fn sorting(text: &str) -> Result<Sorting, String> {
    let (field, order) = text.split_once(':').unwrap_or((text, "asc"));
    let downwards = match order {
        "asc" => false,
        "desc" => true,
        _ => return Err("the order is asc or desc".to_owned()),
    };
    let by = SortBy::from_str(field, true).map_err(|_| {
        "one of name, namespace, pid, id, cpu, memory, uptime, status, restarts".to_owned()
    })?;
    Ok(Sorting { by, downwards })
}

/// Everything that is known of processes: files, figures, how they ended.
#[derive(Debug, Arguments)]
pub(crate) struct Describe {
    /// Names, ids, namespaces or /regex/.
    #[arg(value_name = "TARGET", required = true)]
    pub(crate) targets: Vec<String>,

    /// Print the daemon's answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The environment of a process, as it was given to it.
#[derive(Debug, Arguments)]
pub(crate) struct Env {
    /// The id, or the name of an app (then its first process).
    #[arg(value_name = "ID")]
    pub(crate) target: String,

    /// Print it as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The ids of the processes of an app.
#[derive(Debug, Arguments)]
pub(crate) struct Id {
    /// The name of an app or namespace.
    #[arg(value_name = "NAME")]
    pub(crate) target: String,

    /// Print them as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The process ids of an app, one on a line (0: it does not run), or of the daemon.
#[derive(Debug, Arguments)]
pub(crate) struct Pid {
    /// The name or id; the daemon if not given.
    #[arg(value_name = "NAME")]
    pub(crate) target: Option<String>,

    /// Print them as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show what processes have written, and follow it until Ctrl-C.
#[derive(Debug, Arguments)]
pub(crate) struct Logs {
    /// Names, ids, namespaces or /regex/; all if not given.
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,

    /// How many of the last lines of each process come first.
    #[arg(long, value_name = "N", default_value = "15")]
    pub(crate) lines: u32,

    /// Only what was written already.
    #[arg(long)]
    pub(crate) nostream: bool,

    /// Only standard error.
    #[arg(long, conflicts_with = "out")]
    pub(crate) err: bool,

    /// Only standard output.
    #[arg(long)]
    pub(crate) out: bool,

    /// The lines as they are, each to the stream that it was written to.
    #[arg(long, conflicts_with_all = ["json", "format", "timestamp"])]
    pub(crate) raw: bool,

    /// Each line as a JSON object.
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,

    /// Each line as `timestamp=... app=... id=... type=... message=...`.
    #[arg(long)]
    pub(crate) format: bool,

    /// A date before each line, in letters such as YYYY-MM-DDTHH:mm:ss.
    #[arg(
        long,
        value_name = "FORM",
        num_args = 0..=1,
        default_missing_value = "YYYY-MM-DDTHH:mm:ss"
    )]
    pub(crate) timestamp: Option<String>,

    /// Mark this word, on a terminal.
    #[arg(long, value_name = "WORD")]
    pub(crate) highlight: Option<String>,
}

/// Empty the log files of processes.
#[derive(Debug, Arguments)]
pub(crate) struct Flush {
    /// Names, ids, namespaces or /regex/; all if not given.
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,

    /// Print the daemon's answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
