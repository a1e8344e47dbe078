//! One of everything that can be said.
#![allow(dead_code, reason = "not every test says everything")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use tine_control::event::{DaemonStage, ReloadStage};
use tine_control::reply::*;
use tine_control::request::*;
use tine_control::*;

pub(crate) fn who() -> Who {
    Who {
        id: 3,
        name: "web".to_owned(),
        slot: 1,
        generation: 7,
    }
}

pub(crate) fn exit() -> ExitInfo {
    ExitInfo {
        generation: 6,
        pid: 1234,
        at: 1_763_820_000_123,
        lived: 1500,
        code: None,
        signal: Some("SIGSEGV".to_owned()),
        core: true,
        asked: false,
        lines: vec!["one".to_owned(), "two \"quoted\" \u{1f980}".to_owned()],
    }
}

pub(crate) fn process() -> ProcessInfo {
    ProcessInfo {
        id: 3,
        name: "web".to_owned(),
        namespace: "shop".to_owned(),
        slot: 1,
        generation: 7,
        status: ProcessStatus::Online,
        pid: Some(4242),
        exec_mode: ExecMode::Cluster,
        started: Some(1_763_820_001_000),
        created: 1_763_820_000_000,
        restarts: 6,
        unstable_restarts: 1,
        next_start: None,
        cpu: Some(12.5),
        memory: Some(51_134_464),
        listening: vec!["0.0.0.0:3000".to_owned()],
        user: "www".to_owned(),
        version: Some("1.2.3".to_owned()),
        interpreter_version: Some("22.1.0".to_owned()),
        reason: String::new(),
        exits: vec![exit()],
        files: Some(ProcessFiles {
            out: Some(PathBuf::from("/home/www/.tine/logs/web-out-3.log")),
            error: None,
            log: None,
            pid: Some(PathBuf::from("/home/www/.tine/pids/web-3.pid")),
        }),
    }
}

pub(crate) fn waiting_process() -> ProcessInfo {
    ProcessInfo {
        status: ProcessStatus::WaitingRestart,
        pid: None,
        started: None,
        next_start: Some(1_763_820_002_000),
        cpu: None,
        memory: None,
        listening: Vec::new(),
        user: String::new(),
        version: None,
        interpreter_version: None,
        reason: "it ended 3 times within 1 s".to_owned(),
        exits: Vec::new(),
        files: None,
        ..process()
    }
}

pub(crate) fn app() -> AppSpec {
    AppSpec {
        env: [("A", "1")].into_iter().collect(),
        ..AppSpec::new("web", "/srv/web/app.js", "/srv/web")
    }
}

fn changes() -> Changes {
    let changes = serde_json::json!({"args": ["x"], "env": {"A": null}});
    changes.as_object().unwrap().clone().into()
}

fn shell() -> Variables {
    [("PATH", "/bin")].into_iter().collect()
}

/// At least one request of every verb, with and without what may be left out.
pub(crate) fn requests() -> Vec<Request> {
    let name = || Target::Name("web".to_owned());
    vec![
        Ping {}.into(),
        Version {}.into(),
        Start::default().into(),
        Start {
            apps: vec![app(), AppSpec::new("b", "/b", "/")],
            target: Some(Target::All),
            if_present: IfPresent::Reload,
            inherited_env: shell(),
            wait: false,
        }
        .into(),
        Stop {
            target: name(),
            wait: false,
        }
        .into(),
        Restart {
            target: Target::Id(0),
            changes: changes(),
            inherited_env: Some(shell()),
            parallel: Some(4),
            wait: true,
        }
        .into(),
        Restart {
            target: Target::All,
            changes: Changes::default(),
            inherited_env: None,
            parallel: None,
            wait: true,
        }
        .into(),
        Reload {
            target: Target::Namespace("shop".to_owned()),
            changes: changes(),
            inherited_env: Some(Variables::default()),
            parallel: None,
            force: true,
            wait: true,
        }
        .into(),
        Delete {
            target: Target::Regex("^api-".to_owned()),
            wait: true,
        }
        .into(),
        Scale {
            target: Target::from_word("web"),
            to: ScaleTo::Exactly(0),
            wait: true,
        }
        .into(),
        Scale {
            target: Target::from_word("web"),
            to: ScaleTo::More(2),
            wait: false,
        }
        .into(),
        List::default().into(),
        List { target: name() }.into(),
        Describe {
            target: Target::Several(vec![Target::Id(1), name()]),
        }
        .into(),
        Env { process: 3 }.into(),
        Save { force: true }.into(),
        Save::default().into(),
        Resurrect { wait: true }.into(),
        ClearDump {}.into(),
        Reset {
            target: Target::All,
        }
        .into(),
        Signal {
            target: name(),
            signal: "SIGUSR2".to_owned(),
        }
        .into(),
        Send {
            target: name(),
            line: "hello".to_owned(),
        }
        .into(),
        Attach { process: 3 }.into(),
        Logs::default().into(),
        Logs {
            target: name(),
            lines: 0,
            follow: false,
            stream: Some(Stream::Err),
        }
        .into(),
        Flush::default().into(),
        Flush { target: name() }.into(),
        ReloadLogs {}.into(),
        Kill {}.into(),
        Set {
            key: "a:b".to_owned(),
            value: "c".to_owned(),
        }
        .into(),
        Get {
            key: "a:b".to_owned(),
        }
        .into(),
        Unset {
            key: "all".to_owned(),
        }
        .into(),
        Conf {}.into(),
        Report {}.into(),
        Subscribe { after: Some(41) }.into(),
        Subscribe::default().into(),
        Cancel { request: 7 }.into(),
    ]
}

/// An answer to the verb of this word.
pub(crate) fn answer_to(word: &str) -> Answer {
    let acted = Acted {
        done: true,
        processes: vec![process(), waiting_process()],
        failed: vec![Failed {
            process: who(),
            text: "it ended before it was ready".to_owned(),
            hint: "look at its last lines".to_owned(),
            exit: Some(exit()),
            survivors: vec!["77 sleep".to_owned()],
        }],
        warnings: vec!["a warning".to_owned()],
    };
    match word {
        "ping" => Pong { pid: 1 }.into(),
        "version" => VersionInfo {
            server: "0.1.0".to_owned(),
            protocol: 1,
            pid: 1,
            keeper: Some(2),
            started: 1_763_820_000_000,
            home: PathBuf::from("/home/www/.tine"),
        }
        .into(),
        "start" | "stop" | "restart" | "reload" | "delete" | "scale" | "resurrect" | "reset"
        | "signal" | "send" => acted.into(),
        "list" => Listed {
            processes: vec![process(), waiting_process()],
        }
        .into(),
        "describe" => Described {
            processes: vec![process()],
            apps: BTreeMap::from([(
                "web".to_owned(),
                AppInfo {
                    spec: app(),
                    slots: 2,
                    policy: Some("rr".to_owned()),
                },
            )]),
        }
        .into(),
        "env" => Environment { env: shell() }.into(),
        "save" => Saved {
            file: PathBuf::from("/home/www/.tine/dump.json"),
            apps: 1,
            processes: 2,
        }
        .into(),
        "flush" => Flushed {
            files: vec![PathBuf::from("/home/www/.tine/logs/web-out.log")],
        }
        .into(),
        "clear_dump" | "attach" | "logs" | "reload_logs" | "kill" | "set" | "unset" | "cancel" => {
            Done {}.into()
        }
        "get" | "conf" => Settings {
            settings: shell().0,
        }
        .into(),
        "report" => Reported { facts: shell().0 }.into(),
        "subscribe" => Subscribed { next: 42 }.into(),
        other => panic!("there is no sample of an answer to {other}"),
    }
}

pub(crate) fn notes() -> Vec<Note> {
    vec![
        Note::Process {
            process: who(),
            status: ProcessStatus::Online,
            text: String::new(),
        },
        Note::Process {
            process: who(),
            status: ProcessStatus::Errored,
            text: "why".to_owned(),
        },
        Note::Progress { done: 3, of: 10 },
        Note::Said {
            text: "waiting".to_owned(),
        },
        Note::Line {
            process: who(),
            stream: Stream::Out,
            at: Some(1),
            text: "a\tline".to_owned(),
        },
        Note::Line {
            process: who(),
            stream: Stream::Err,
            at: None,
            text: String::new(),
        },
        Note::Skipped { lines: 9 },
    ]
}

pub(crate) fn happenings() -> Vec<What> {
    vec![
        What::Added { process: who() },
        What::Removed { process: who() },
        What::Status {
            process: who(),
            status: ProcessStatus::WaitingRestart,
            pid: None,
            text: "why".to_owned(),
        },
        What::Status {
            process: who(),
            status: ProcessStatus::Online,
            pid: Some(1),
            text: String::new(),
        },
        What::Exited {
            process: who(),
            exit: exit(),
        },
        What::Listening {
            process: who(),
            address: "[::]:80".to_owned(),
        },
        What::AppChanged {
            app: "web".to_owned(),
        },
        What::Reload {
            app: "web".to_owned(),
            stage: ReloadStage::RolledBack,
            text: "why".to_owned(),
        },
        What::Saved {
            file: PathBuf::from("/d"),
        },
        What::Setting {
            key: "a:b".to_owned(),
        },
        What::Daemon {
            stage: DaemonStage::Ending,
        },
    ]
}
