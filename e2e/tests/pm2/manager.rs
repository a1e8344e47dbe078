//! How is a command given to PM2, and how to tine?

use crate::list::List;
use crate::rpc;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, io};

use tempfile::TempDir;
use tine_testkit::lines::Stream;
use tine_testkit::{Program, Runtime, process, runtimes, tine};

/// Longer than any command of either takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The variable by which everything is found that a case has started.
pub(crate) const MARK: &str = "TINE_TEST_CASE";

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pm2,
    Tine,
}

/// One of the two with a daemon of its own.
#[derive(Debug)]
pub(crate) struct Manager {
    pub(crate) kind: Kind,
    /// The commands that were given: what one of them started goes when it is dropped.
    commands: Vec<Program>,
    folder: TempDir,
    /// Everything that is started has this variable.
    mark: String,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: Vec<String>,
    pub(crate) err: Vec<String>,
}

impl Manager {
    /// Nothing runs yet; `files` are in the folder where commands will be given.
    pub(crate) fn new(kind: Kind) -> Manager {
        let folder = TempDir::with_prefix("tine-pm2-").unwrap();
        for name in ["work", "home", "user"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        if kind == Kind::Pm2 {
            // Where it has been, it does not introduce itself.
            fs::write(folder.path().join("home/touch"), "").unwrap();
        }
        let mark = folder.path().display().to_string();
        Manager {
            kind,
            commands: Vec::new(),
            folder,
            mark,
        }
    }

    /// Where commands are given.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// `PM2_HOME` or `TINE_HOME`.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A text that was seen, without what is different in each run.
    pub(crate) fn without_paths(&self, text: &str) -> String {
        let folder = self.folder.path().to_str().unwrap();
        text.replace(folder, "{dir}")
    }

    /// Gives a command and waits for its end.
    pub(crate) fn run(
        &mut self,
        words: &str,
        variables: &[(&str, &str)],
        input: Option<&str>,
    ) -> Done {
        let mut command = match self.kind {
            Kind::Pm2 => {
                let mut command = Command::new(Runtime::Node20.path());
                command.arg(runtimes::pm2());
                command
            }
            Kind::Tine => Command::new(tine::binary()),
        };
        command
            .args(split(words))
            .current_dir(self.work())
            .env_clear()
            .envs(self.shell())
            .envs(variables.iter().copied());
        let stdin = match input {
            None => Stdio::null(),
            Some(text) => {
                let path = self.folder.path().join("input");
                fs::write(&path, text).unwrap();
                fs::File::open(path).unwrap().into()
            }
        };
        let name = match self.kind {
            Kind::Pm2 => format!("pm2 {words}"),
            Kind::Tine => format!("tine {words}"),
        };
        let program = Program::start_with_stdin(&name, command, stdin);
        let status = program.wait_exit(PATIENCE);
        program.wait_output_end(PATIENCE);
        let done = Done {
            code: status.code().unwrap_or(-1),
            out: program.texts(Stream::Stdout),
            err: program.texts(Stream::Stderr),
        };
        self.commands.push(program);
        done
    }

    /// The variables of the shell.
    fn shell(&self) -> Vec<(&'static str, String)> {
        let node = Runtime::Node20.path();
        let node = node.parent().unwrap_or(Path::new("/")).display();
        let home = self.home().display().to_string();
        vec![
            ("PATH", format!("{node}:/usr/local/bin:/usr/bin:/bin")),
            (
                "HOME",
                self.folder.path().join("user").display().to_string(),
            ),
            (
                "USER",
                env::var("USER").unwrap_or_else(|_| "root".to_owned()),
            ),
            ("PWD", self.work().display().to_string()),
            ("LANG", "C.UTF-8".to_owned()),
            ("FROM_SHELL", "from the shell".to_owned()),
            ("PM2_HOME", home.clone()),
            ("TINE_HOME", home),
            ("PM2_DISABLE_VERSION_CHECK", "true".to_owned()),
            ("NO_COLOR", "1".to_owned()),
            (MARK, self.mark.clone()),
        ]
    }

    /// What `jlist` prints; empty while no daemon is there.
    pub(crate) fn list(&mut self) -> Result<List, String> {
        match self.kind {
            Kind::Pm2 => match rpc::list(&self.home()) {
                Ok(list) => Ok(List::new(list)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(List::default()),
                Err(error) => Err(format!("asking PM2's daemon: {error}")),
            },
            Kind::Tine => self.printed_list(),
        }
    }

    /// What `jlist` printed just now.
    pub(crate) fn printed_list(&mut self) -> Result<List, String> {
        let done = self.run("jlist", &[], None);
        self.commands.pop();
        let text = done.out.join("\n");
        match serde_json::from_str(&text) {
            Ok(json) => Ok(List::new(json)),
            Err(error) => Err(format!("jlist ended with {}: {error}: {text}", done.code)),
        }
    }
}

impl Drop for Manager {
    /// The daemon goes before its programs, which it would start again, and with everything below
    /// it: a program may have been given no variables.
    fn drop(&mut self) {
        let mark = format!("{MARK}={}", self.mark);
        for pid in process::marked(&mark) {
            process::kill_tree(pid);
        }
        process::kill_marked(&mark);
    }
}

/// Words by the rules of a shell: blanks separate, quotes keep together.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in line.chars() {
        match (letter, quote) {
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (_, Some(open)) if letter == open => quote = None,
            (' ', None) => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    assert!(quote.is_none(), "an open quote in {line}");
    words.extend(word);
    words
}

#[test]
fn words_are_split_as_a_shell_splits_them() {
    let words = split("start 'a b' --name=\"c d\" '' -- -x");
    assert_eq!(words, ["start", "a b", "--name=c d", "", "--", "-x"]);
}
