//! In what does tine differ from PM2, and why?

/// A difference that cases may name. `docs/pm2.md` has the same list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Difference {
    ExitCodes,
    Variables,
    StartWaits,
    StartOfRunning,
    OneApp,
    NotAutostarted,
    NoDaemon,
    NothingSaved,
    NotFound,
    ReloadFails,
    ScaleSame,
    ScaleDown,
    Instances,
    ClusterOfOne,
    StalePid,
    UnstableRestarts,
    WaitsForever,
    ExitCode,
    WaitReady,
    Channel,
    FilterAll,
    Pwd,
    Zero,
    RestartWaiting,
    InitAgain,
    ClusterOfOthers,
    LogLines,
    ClusterOutput,
    EmptyLogs,
    PidFileNames,
    OtherFields,
    EnvLines,
}

/// What stands in the document.
#[derive(Debug)]
pub(crate) struct Text {
    /// In a few words.
    pub(crate) what: &'static str,
    /// What PM2 does.
    pub(crate) pm2: &'static str,
    /// What tine does.
    pub(crate) tine: &'static str,
    /// The reason.
    pub(crate) why: &'static str,
}

impl Difference {
    /// All of them, in the order of the document.
    pub(crate) const ALL: &[Difference] = &[
        Difference::ExitCodes,
        Difference::Variables,
        Difference::StartWaits,
        Difference::StartOfRunning,
        Difference::OneApp,
        Difference::NotAutostarted,
        Difference::NoDaemon,
        Difference::NothingSaved,
        Difference::NotFound,
        Difference::ReloadFails,
        Difference::ScaleSame,
        Difference::ScaleDown,
        Difference::Instances,
        Difference::ClusterOfOne,
        Difference::StalePid,
        Difference::UnstableRestarts,
        Difference::WaitsForever,
        Difference::ExitCode,
        Difference::WaitReady,
        Difference::Channel,
        Difference::FilterAll,
        Difference::Pwd,
        Difference::Zero,
        Difference::RestartWaiting,
        Difference::InitAgain,
        Difference::ClusterOfOthers,
        Difference::LogLines,
        Difference::ClusterOutput,
        Difference::EmptyLogs,
        Difference::PidFileNames,
        Difference::OtherFields,
        Difference::EnvLines,
    ];

    /// Those that the runner takes into account by itself, in each case: [`crate::case::Step::Fails`]
    /// and [`crate::programs::facts`].
    pub(crate) const EVERYWHERE: &[Difference] = &[Difference::ExitCodes, Difference::Variables];

    pub(crate) fn text(self) -> Text {
        match self {
            Difference::ExitCodes => Text {
                what: "Exit codes",
                pm2: "1 for all that fails.",
                tine: "1 if an app failed, 2 if the words make no sense, 3 if something cannot be started, 5 if a target means nothing, 6 if no daemon is there ([exit-codes.md](exit-codes.md)).",
                why: "A script can tell them apart. Zero and not zero mean the same.",
            },
            Difference::Variables => Text {
                what: "Variables about the app",
                pm2: "About forty fields of its list are variables of every program: `status`, `version`, `args`, `port`, `username`, one called like the app, … In a cluster some of them are `[object Object]`.",
                tine: "`name`, `pm_id` and `NODE_APP_INSTANCE`, which programs read.",
                why: "Programs mistake the others for their own settings.",
            },
            Difference::StartWaits => Text {
                what: "`start` waits",
                pm2: "Is done when the processes have been made.",
                tine: "Is done when they are up; fails when one ended before, or a start failed for good. `--no-wait` is as PM2.",
                why: "Who deploys wants to know whether it runs.",
            },
            Difference::StartOfRunning => Text {
                what: "`start` of what runs",
                pm2: "A name: restarts it. A script: fails.",
                tine: "Says that it runs already, leaves it alone, and is done.",
                why: "A start that is given twice interrupts nobody.",
            },
            Difference::OneApp => Text {
                what: "Two apps under one name",
                pm2: "Another script or namespace is added beside the first, and commands by name are for both.",
                tine: "Fails, with `-f` too: a name is one app, with one script and one namespace.",
                why: "Who says `web` means one thing.",
            },
            Difference::NotAutostarted => Text {
                what: "`start` of an app that is not started by itself",
                pm2: "`start NAME` says that it has started it, and it stays stopped.",
                tine: "Starts it.",
                why: "It was asked for.",
            },
            Difference::NoDaemon => Text {
                what: "No daemon",
                pm2: "Every command starts one.",
                tine: "Only those that need one. `ping` fails with 6.",
                why: "Asking changes nothing.",
            },
            Difference::NothingSaved => Text {
                what: "Nothing to save",
                pm2: "`save` with an empty list warns, leaves the file as it was, and exits with 0.",
                tine: "Fails with 5, and leaves the file as it was.",
                why: "What was asked for has not been done.",
            },
            Difference::NotFound => Text {
                what: "A target that means nothing",
                pm2: "`flush` does not mind.",
                tine: "Fails, as for every other command.",
                why: "A slip of the pen is noticed.",
            },
            Difference::ReloadFails => Text {
                what: "A reload that fails",
                pm2: "A cluster whose new processes end at once is reloaded, with 0; the old ones are gone.",
                tine: "Fails with 1; the old ones go on.",
                why: "Who deploys wants to know.",
            },
            Difference::ScaleSame => Text {
                what: "`scale` to the number there is",
                pm2: "Fails.",
                tine: "Is done.",
                why: "It is as it was asked for.",
            },
            Difference::ScaleDown => Text {
                what: "Which processes `scale` takes away",
                pm2: "Those with the lowest ids.",
                tine: "Those with the highest places; a place that is free is taken again, with a new id.",
                why: "The first places have the first numbers at any time: programs do work for all from number 0.",
            },
            Difference::Instances => Text {
                what: "The field `instances`",
                pm2: "What was asked for at the start; absent after `resurrect`.",
                tine: "How many there are.",
                why: "It is true.",
            },
            Difference::ClusterOfOne => Text {
                what: "`-i -100`",
                pm2: "A single process in fork mode: from -2 on there is no cluster.",
                tine: "A cluster of one process.",
                why: "-2 is a number like -1.",
            },
            Difference::StalePid => Text {
                what: "The pid of a process that ended",
                pm2: "Still in `jlist` while it waits for its restart, or is errored.",
                tine: "0.",
                why: "The number may belong to another by then.",
            },
            Difference::UnstableRestarts => Text {
                what: "The field `unstable_restarts`",
                pm2: "Ends within `min_uptime`, by hand too; 0 once it is errored.",
                tine: "Failures in a row; they stay visible when it is errored.",
                why: "It says why.",
            },
            Difference::WaitsForever => Text {
                what: "A delay and no restart",
                pm2: "With `restart_delay` or back-off, an app that is not restarted shows `waiting restart` for ever.",
                tine: "`stopped` or `errored`.",
                why: "It waits for nothing.",
            },
            Difference::ExitCode => Text {
                what: "The field `exit_code`",
                pm2: "Gone after a reload; as saved after `resurrect`.",
                tine: "Of the last process in that place.",
                why: "It was its process that ended.",
            },
            Difference::WaitReady => Text {
                what: "`--wait-ready` without a word",
                pm2: "Online when the time is over.",
                tine: "The start fails; the process is left running and stays `launching` until it says `ready`.",
                why: "It is not ready.",
            },
            Difference::Channel => Text {
                what: "A channel for every program",
                pm2: "Programs that are not Node get `NODE_CHANNEL_FD` too.",
                tine: "Only Node, Bun and Deno, workers of a cluster, and programs that are asked to send `ready` or are told `shutdown`.",
                why: "Others cannot use it, and keep the descriptor open for their children.",
            },
            Difference::FilterAll => Text {
                what: "`filter_env: true`",
                pm2: "Filters nothing.",
                tine: "Keeps all variables of the shell from the program.",
                why: "The word says so.",
            },
            Difference::Pwd => Text {
                what: "`PWD` with a folder of its own",
                pm2: "As it was written: perhaps relative.",
                tine: "The absolute path.",
                why: "It is what shells set.",
            },
            Difference::Zero => Text {
                what: "A zero in a process file",
                pm2: "`max_restarts: 0`, `kill_timeout: 0`, `merge_logs: false` and the like are as if they were not there.",
                tine: "They mean what they say.",
                why: "It was written.",
            },
            Difference::RestartWaiting => Text {
                what: "`restart` of what waits for its restart",
                pm2: "Fails: the process is there already; it is started all the same.",
                tine: "Starts it at once.",
                why: "It was asked for.",
            },
            Difference::InitAgain => Text {
                what: "`init` where there is a file",
                pm2: "Writes over it.",
                tine: "Leaves it, and fails.",
                why: "It may have been worked on.",
            },
            Difference::ClusterOfOthers => Text {
                what: "`exec_mode: cluster` for another language",
                pm2: "Node reads the script as JavaScript, until it is errored.",
                tine: "The program is a worker: it is up when it has asked for its sockets (`tine-cluster` does so for Rust). The start fails when it does not.",
                why: "The protocol is not bound to Node.",
            },
            Difference::LogLines => Text {
                what: "Dates and JSON in log files",
                pm2: "For each piece that was read: a line may have two dates, and two lines may be one object; a last line without an end may be lost.",
                tine: "For each line.",
                why: "A line is what is read later.",
            },
            Difference::ClusterOutput => Text {
                what: "What a cluster process writes past `process.stdout`",
                pm2: "Its children and native code write to the log of the daemon.",
                tine: "All of it is in the files of the app.",
                why: "It is its output.",
            },
            Difference::EmptyLogs => Text {
                what: "Log files",
                pm2: "Made at the start, empty; even with `--disable-logs`.",
                tine: "Made with the first line.",
                why: "A thousand silent programs cost nothing.",
            },
            Difference::PidFileNames => Text {
                what: "Names of pid files",
                pm2: "A number at the end of a name is lost: `web-2` with the id 5 has `web-5.pid`.",
                tine: "`web-2-5.pid`.",
                why: "The number is part of the name.",
            },
            Difference::OtherFields => Text {
                what: "Fields of `jlist` for PM2 alone",
                pm2: "`unique_id` names the entry in PM2 Plus; `args` is absent when there are none.",
                tine: "No `unique_id`; `args` is empty then.",
                why: "Nothing else reads it.",
            },
            Difference::EnvLines => Text {
                what: "`env ID`",
                pm2: "Fields of the list besides the variables.",
                tine: "The variables of the program, sorted.",
                why: "That is the question.",
            },
        }
    }
}
