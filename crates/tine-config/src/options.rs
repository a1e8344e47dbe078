//! What was asked for, in plain data?

use std::time::Duration;
use tine_control::{Balance, ExecMode, FilterEnv, LogType, Variables};
use tine_rules::Instances;

/// Words of a command line, as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// One text, to be split at blanks with the quotes of a shell.
    Line(String),
    /// The words themselves.
    List(Vec<String>),
}

impl Words {
    /// The words; `Err` says what is wrong with the quotes.
    pub(crate) fn split(&self) -> Result<Vec<String>, String> {
        match self {
            Words::Line(line) => shell_words::split(line).map_err(|error| error.to_string()),
            Words::List(words) => Ok(words.clone()),
        }
    }
}

/// Where the file for both streams is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFile {
    /// There is none.
    None,
    /// `NAME.log` in the daemon's folder of logs: the bare option `--log`.
    Default,
    /// This one.
    At(String),
}

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $kind:ty,)*) => {
        /// Everything that can be asked for of an app besides its script. What is `None` was not
        /// asked for; a 0, a `false` and an empty list mean what they say. Paths may be relative
        /// and begin with `~`.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Options {
            $($(#[$doc])* pub $name: Option<$kind>,)*
        }

        impl Options {
            /// These options, and where they say nothing, those of `other`.
            #[must_use]
            pub fn or(self, other: Options) -> Options {
                Options { $($name: self.$name.or(other.$name),)* }
            }

            /// The names of what was asked for, in snake case.
            #[must_use]
            pub fn given(&self) -> Vec<&'static str> {
                let mut given = Vec::new();
                $(if self.$name.is_some() { given.push(stringify!($name)); })*
                given
            }
        }
    };
}

options! {
    /// What the app is called.
    name: String,
    /// The group it belongs to.
    namespace: String,
    /// The folder it runs in, from which its other paths are taken too.
    cwd: String,
    /// The arguments after the script.
    args: Words,
    /// What runs the script: a name, a path, `none`, or `node@20` of nvm.
    interpreter: String,
    /// The arguments between the interpreter and the script.
    interpreter_args: Words,
    /// How the processes stand to each other.
    exec_mode: ExecMode,
    /// True: fork, whatever `instances` says, unless `exec_mode` says otherwise.
    execute_command: bool,
    /// How many processes.
    instances: Instances,
    /// How connections are shared among the processes of a cluster.
    balance: Balance,
    /// The file for standard output; `NULL` or `/dev/null`: none.
    out_file: String,
    /// The file for standard error; `NULL` or `/dev/null`: none.
    error_file: String,
    /// The file for both, besides the two.
    log_file: LogFile,
    /// The file with the number of the process.
    pid_file: String,
    /// Whether all instances write to the same files.
    merge_logs: bool,
    /// How a line is written to the files.
    log_type: LogType,
    /// The form of the date before each line; empty: no date.
    log_date_format: String,
    /// Whether each line has a date before it; `log_date_format` wins over it.
    time: bool,
    /// Whether output is thrown away.
    disable_logs: bool,
    /// Variables that win over those of the shell.
    env: Variables,
    /// Which variables of the shell do not reach the app.
    filter_env: FilterEnv,
    /// The port for the variable `PORT`.
    port: u16,
    /// The variable that tells an instance its number.
    instance_var: String,
    /// The variable that is raised by one for every further instance.
    increment_var: String,
    /// Whether the app is started by `start`, or only listed.
    autostart: bool,
    /// Whether a process that ended is replaced.
    autorestart: bool,
    /// How many starts in a row may fail.
    max_restarts: u32,
    /// How long a process must live for its start not to count as failed.
    min_uptime: Duration,
    /// How long after its end a process is replaced.
    restart_delay: Duration,
    /// How long after its end a process is replaced first, growing; zero: no such growth.
    exp_backoff_restart_delay: Duration,
    /// Exit codes after which a process is not replaced.
    stop_exit_codes: Vec<i32>,
    /// The signal that asks a process to end.
    stop_signal: String,
    /// From the request to end until SIGKILL.
    kill_timeout: Duration,
    /// Whether a process is asked to end by a message.
    shutdown_with_message: bool,
    /// Whether descendants are ended with a process.
    treekill: bool,
    /// Whether a process counts as online only when it says so.
    wait_ready: bool,
    /// How long a process has to become ready.
    listen_timeout: Duration,
    /// The user to run as.
    uid: String,
    /// The group to run as.
    gid: String,
    /// Whether Node maps stack traces to the sources.
    source_map_support: bool,
}

/// The form of the date that `time` asks for, as in PM2.
pub(crate) const TIME_FORMAT: &str = "YYYY-MM-DDTHH:mm:ss";

/// A length of time as PM2 writes them: milliseconds, or a whole number with `ms`, `s`, `m` or `h`.
///
/// # Errors
/// What would have been right, for an error of the form "expected ...".
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "milliseconds, or a whole number with s, m or h";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| EXPECTED)?;
    let factor = match unit {
        "" | "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(EXPECTED),
    };
    let milliseconds = number.checked_mul(factor).ok_or(EXPECTED)?;
    Ok(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;

    #[test]
    fn the_first_word_wins_even_if_it_is_zero() {
        let line = Options {
            max_restarts: Some(0),
            ..Options::default()
        };
        let file = Options {
            max_restarts: Some(5),
            autorestart: Some(false),
            ..Options::default()
        };
        let both = line.or(file);
        assert_eq!(
            (both.max_restarts, both.autorestart),
            (Some(0), Some(false))
        );
        assert_eq!(both.given(), ["autorestart", "max_restarts"]);
    }

    #[test]
    fn times_are_read_as_pm2_writes_them() {
        let milliseconds = |text| duration(text).map(|time| time.as_millis()).ok();
        assert_eq!(milliseconds("1500"), Some(1500));
        assert_eq!(milliseconds("0"), Some(0));
        assert_eq!(milliseconds("4000ms"), Some(4000));
        assert_eq!(milliseconds("10s"), Some(10_000));
        assert_eq!(milliseconds("2m"), Some(120_000));
        assert_eq!(milliseconds("1h"), Some(3_600_000));
        for text in [
            "",
            "s",
            "-1",
            "1.5s",
            "1d",
            "1 s",
            "99999999999999999999",
            "9999999999999999h",
        ] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }
}
