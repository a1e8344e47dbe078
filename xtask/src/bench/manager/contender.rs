//! Who is compared, and how each is told what to do.
#![allow(clippy::disallowed_methods)] // a chore is not part of the product: it may start programs itself

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::Result;

/// What tine permits at least.
pub(super) const LEAST_UPTIME_MS: u64 = 100;

/// The process managers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contender {
    Tine,
    Pm2,
    Supervisord,
}

impl Contender {
    pub(super) const ALL: [Contender; 3] =
        [Contender::Tine, Contender::Pm2, Contender::Supervisord];

    pub(super) const NAMED: [(&'static str, Contender); 3] = {
        let [a, b, c] = Contender::ALL;
        [(a.name(), a), (b.name(), b), (c.name(), c)]
    };

    pub(super) const fn name(self) -> &'static str {
        match self {
            Contender::Tine => "tine",
            Contender::Pm2 => "pm2",
            Contender::Supervisord => "supervisord",
        }
    }

    pub(super) fn what(self) -> &'static str {
        match self {
            Contender::Tine => {
                "keeper and brain; `tine start` of a process file, `list`, `jlist`, `restart all`, `stop all`; \
                 `start` waits until they are up, which programs like these, that say nothing, are after a \
                 second; `--no-wait` does not"
            }
            Contender::Pm2 => {
                "its daemon; the same commands with the same process file, fork mode; no wait for readiness"
            }
            Contender::Supervisord => {
                "its daemon, startsecs=1 (its default; 0 where it crashes); `supervisorctl start all`, `status`, \
                 `restart all`, `stop all`; the processes are in its configuration from the beginning"
            }
        }
    }
}

/// What is measured of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verb {
    /// Brings up the daemon, with nothing to do.
    Begin,
    Start,
    /// Does not wait until they are up.
    StartNoWait,
    List,
    /// The list for programs.
    Jlist,
    Restart,
    Stop,
    /// So that the next start is a first one.
    Delete,
    /// Ends the daemon.
    Kill,
}

impl Verb {
    pub(super) fn name(self) -> &'static str {
        match self {
            Verb::Begin => "daemon",
            Verb::Start => "start",
            Verb::StartNoWait => "start --no-wait",
            Verb::List => "list",
            Verb::Jlist => "jlist",
            Verb::Restart => "restart",
            Verb::Stop => "stop",
            Verb::Delete => "delete",
            Verb::Kill => "kill",
        }
    }
}

/// What a manager is given to run.
#[derive(Clone, Debug)]
pub(super) struct Payload {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) count: usize,
    /// Every process an app of its own.
    pub(super) apart: bool,
    /// It will be killed again and again, and nothing that a manager has against that shall stop it.
    pub(super) crashes: bool,
}

/// Where the managers are, or why not.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) tine: Result<PathBuf>,
    /// Runs `pm2`.
    pub(super) node: PathBuf,
    /// pm2's entry script.
    pub(super) pm2: Result<PathBuf>,
    /// The folder with supervisord and supervisorctl.
    pub(super) supervisor: Result<PathBuf>,
}

/// A manager with a folder of its own, which is its home.
#[derive(Debug)]
pub(super) struct Seat<'a> {
    pub(super) contender: Contender,
    programs: &'a Programs,
    folder: PathBuf,
}

impl<'a> Seat<'a> {
    /// Creates the folder and writes the file that says what is to be run.
    pub(super) fn new(
        contender: Contender,
        programs: &'a Programs,
        folder: &Path,
        payload: &Payload,
    ) -> Result<Seat<'a>> {
        fs::create_dir_all(folder).map_err(|e| format!("creating {}: {e}", folder.display()))?;
        let seat = Seat {
            contender,
            programs,
            folder: folder.to_owned(),
        };
        let text = match contender {
            Contender::Tine | Contender::Pm2 => process_file(payload).to_string(),
            Contender::Supervisord => configuration(&seat.folder, payload),
        };
        let path = seat.file();
        fs::write(&path, text).map_err(|e| format!("writing {}: {e}", path.display()))?;
        Ok(seat)
    }

    /// How the verb is said; None if this manager has none such.
    pub(super) fn say(&self, verb: Verb) -> Result<Option<Command>> {
        let words: &[&str] = match (self.contender, verb) {
            // A verb that needs a daemon and does nothing here.
            (Contender::Tine, Verb::Begin) => &["cleardump"],
            (Contender::Pm2, Verb::Begin) => &["ping"],
            (Contender::Tine | Contender::Pm2, Verb::Start) => &["start", "FILE"],
            (Contender::Tine, Verb::StartNoWait) => &["start", "FILE", "--no-wait"],
            (Contender::Tine | Contender::Pm2, Verb::List) => &["list"],
            (Contender::Tine | Contender::Pm2, Verb::Jlist) => &["jlist"],
            (Contender::Tine | Contender::Pm2, Verb::Restart) => &["restart", "all"],
            (Contender::Tine | Contender::Pm2, Verb::Stop) => &["stop", "all"],
            (Contender::Tine | Contender::Pm2, Verb::Delete) => &["delete", "all"],
            (Contender::Tine | Contender::Pm2, Verb::Kill) => &["kill"],
            (Contender::Supervisord, Verb::Begin) => &[],
            (Contender::Supervisord, Verb::Start) => &["start", "all"],
            (Contender::Supervisord, Verb::List) => &["status"],
            (Contender::Supervisord, Verb::Restart) => &["restart", "all"],
            (Contender::Supervisord, Verb::Stop) => &["stop", "all"],
            (Contender::Supervisord, Verb::Kill) => &["shutdown"],
            (Contender::Pm2 | Contender::Supervisord, Verb::StartNoWait)
            | (Contender::Supervisord, Verb::Jlist | Verb::Delete) => return Ok(None),
        };
        let mut command = match self.contender {
            Contender::Tine => Command::new(self.programs.tine.clone()?),
            Contender::Pm2 => {
                let mut command = Command::new(&self.programs.node);
                command.arg(self.programs.pm2.clone()?);
                command
            }
            Contender::Supervisord => {
                let begins = verb == Verb::Begin;
                let name = if begins {
                    "supervisord"
                } else {
                    "supervisorctl"
                };
                let mut command = Command::new(self.programs.supervisor.clone()?.join(name));
                command.arg("-c").arg(self.file());
                command
            }
        };
        for word in words {
            if *word == "FILE" {
                command.arg(self.file());
            } else {
                command.arg(word);
            }
        }
        for name in ["NODE_OPTIONS", "NODE_CHANNEL_FD", "NODE_UNIQUE_ID"] {
            command.env_remove(name);
        }
        command
            .current_dir(&self.folder)
            .env("HOME", &self.folder)
            .env("NO_COLOR", "1")
            .env("PM2_HOME", self.folder.join("pm2"))
            .env("PM2_DISABLE_VERSION_CHECK", "true")
            .env("TINE_HOME", self.folder.join("tine"));
        Ok(Some(command))
    }

    /// Where the output of its commands goes.
    pub(super) fn output(&self) -> PathBuf {
        self.folder.join("output")
    }

    fn file(&self) -> PathBuf {
        self.folder.join(match self.contender {
            Contender::Tine | Contender::Pm2 => "apps.json",
            Contender::Supervisord => "supervisord.conf",
        })
    }
}

/// One file that tine and PM2 both read.
fn process_file(payload: &Payload) -> Value {
    let app = |name: String, instances: usize| {
        let mut app = json!({
            "name": name,
            "script": payload.program,
            "args": payload.arguments,
            "interpreter": "none",
            "exec_mode": "fork",
            "instances": instances,
        });
        if payload.crashes {
            app["max_restarts"] = json!(1_000_000);
            app["min_uptime"] = json!(LEAST_UPTIME_MS);
        }
        app
    };
    let apps: Vec<Value> = if payload.apart {
        let name = |number| format!("p{number}");
        (0..payload.count).map(|n| app(name(n), 1)).collect()
    } else {
        vec![app("p".to_owned(), payload.count)]
    };
    json!({ "apps": apps })
}

fn configuration(folder: &Path, payload: &Payload) -> String {
    let folder = folder.display();
    // Three descriptors for each process, and some.
    let descriptors = 1024.max(payload.count * 4 + 200);
    let mut text = format!(
        "[unix_http_server]\nfile={folder}/s.sock\n\n\
         [supervisord]\nlogfile={folder}/supervisord.log\npidfile={folder}/supervisord.pid\n\
         childlogdir={folder}\nminfds={descriptors}\n\n\
         [rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\n\
         [supervisorctl]\nserverurl=unix://{folder}/s.sock\n"
    );
    let start = if payload.crashes {
        "startsecs=0\nautorestart=true\n"
    } else {
        ""
    };
    let command = format!(
        "{} {}",
        payload.program.display(),
        payload.arguments.join(" ")
    );
    let mut program = |name: &str, count: usize| {
        let _ = write!(
            text,
            "\n[program:{name}]\ncommand={command}\nprocess_name=%(program_name)s_%(process_num)d\n\
             numprocs={count}\nautostart=false\n{start}"
        );
    };
    if payload.apart {
        for number in 0..payload.count {
            program(&format!("p{number}"), 1);
        }
    } else if payload.count > 0 {
        program("p", payload.count);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(count: usize, apart: bool) -> Payload {
        Payload {
            program: "/bin/sleep".into(),
            arguments: vec!["infinity".to_owned()],
            count,
            apart,
            crashes: false,
        }
    }

    #[test]
    fn a_process_file_has_one_app_of_all_or_one_of_each() {
        let together = process_file(&payload(3, false));
        assert_eq!(together["apps"].as_array().unwrap().len(), 1);
        assert_eq!(together["apps"][0]["instances"], 3);
        let apart = process_file(&payload(3, true));
        let names: Vec<&Value> = (0..3).map(|n| &apart["apps"][n]["name"]).collect();
        assert_eq!(names, ["p0", "p1", "p2"]);
        assert_eq!(apart["apps"][2]["instances"], 1);
    }

    #[test]
    fn supervisord_is_given_no_program_of_no_processes() {
        let text = |count, apart| configuration(Path::new("/f"), &payload(count, apart));
        assert_eq!(text(0, false).matches("[program:").count(), 0);
        assert_eq!(text(5, false).matches("numprocs=5").count(), 1);
        assert_eq!(text(5, true).matches("numprocs=1").count(), 5);
    }

    #[test]
    fn only_tine_can_be_told_not_to_wait() {
        let folder = std::env::temp_dir().join(format!("xtask-seat-{}", std::process::id()));
        let programs = Programs {
            tine: Ok("/t".into()),
            node: "/n".into(),
            pm2: Ok("/p".into()),
            supervisor: Ok("/s".into()),
        };
        let can = |verb| {
            Contender::ALL.map(|contender| {
                let seat = Seat::new(contender, &programs, &folder, &payload(1, false)).unwrap();
                seat.say(verb).unwrap().is_some()
            })
        };
        let (no_wait, stop) = (can(Verb::StartNoWait), can(Verb::Stop));
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(no_wait, [true, false, false]);
        assert_eq!(stop, [true, true, true]);
    }
}
