//! What does a step do?

use crate::case::{ABSENT, Step};
use crate::facts::Facts;
use crate::list::List;
use crate::manager::{Done, Kind, Manager};
use crate::programs;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tine_testkit::wait::try_until;
use tine_testkit::{Signal, process, until};

/// How long is waited for what does not come. What comes, comes within far less.
const PATIENCE: Duration = Duration::from_secs(25);

/// A run of a case with one of the two.
#[derive(Debug)]
pub(crate) struct Walk {
    manager: Manager,
    /// At the last look.
    list: List,
    pub(crate) facts: Facts,
    /// The commands and what they printed, for a test that fails.
    pub(crate) said: String,
}

impl Walk {
    pub(crate) fn new(manager: Manager) -> Walk {
        Walk {
            manager,
            list: List::default(),
            facts: Facts::default(),
            said: String::new(),
        }
    }

    /// Does what a step says, and writes down what is seen.
    pub(crate) fn take(&mut self, number: usize, step: &Step) {
        match *step {
            Step::Run(words) => self.exit(number, words, &[], None),
            Step::RunWith(variables, words) => self.exit(number, words, variables, None),
            Step::RunFed(text, words) => self.exit(number, words, &[], Some(text)),
            Step::Fails(words, code) => {
                let done = self.run(words, &[], None);
                let expected = match self.manager.kind {
                    Kind::Pm2 => 1,
                    Kind::Tine => code,
                };
                let value = match done.code {
                    code if code == expected => "fails".to_owned(),
                    code => code.to_string(),
                };
                self.facts.note(format!("{number} {words} | exit"), value);
            }
            Step::Prints(words) => {
                let done = self.run(words, &[], None);
                self.facts
                    .note(format!("{number} {words} | exit"), done.code.to_string());
                self.lines(number, words, done.out.iter().map(String::as_str), false);
            }
            Step::Says(words, line) => {
                let done = self.run(words, &[], None);
                let says = done.out.iter().any(|said| said.trim() == line);
                self.facts
                    .note(format!("{number} {words} | exit"), done.code.to_string());
                self.facts
                    .note(format!("{number} {words} | says {line}"), says.to_string());
            }
            Step::Look(wanted) => self.look(number, wanted, wanted),
            Step::LookEach { pm2, tine } => {
                let wanted = match self.manager.kind {
                    Kind::Pm2 => pm2,
                    Kind::Tine => tine,
                };
                self.look(number, wanted, "list");
            }
            Step::Field(name, place, field) => {
                let list = self.manager.list().unwrap();
                let value = list.find(name, place).unwrap().field(field);
                let value = value.unwrap_or_else(|| ABSENT.to_owned());
                self.facts
                    .note(format!("{number} {name}.{place} {field}"), value);
            }
            Step::Fields(names) => self.fields(number, names),
            Step::File(name) => {
                let text = self.whole_file(name);
                let text = self.manager.without_paths(text.trim_end());
                self.facts.note(format!("{number} {name}"), text);
            }
            Step::About(name) => {
                let text = self.whole_file(name);
                for (what, value) in programs::facts(&text, self.manager.kind) {
                    let value = self.manager.without_paths(&value);
                    self.facts.note(format!("{number} {name} | {what}"), value);
                }
            }
            Step::Names(folder, count) => self.names(number, folder, count),
            Step::Lines(name, count) => self.file_lines(number, name, count, false),
            Step::Shapes(name, count) => self.file_lines(number, name, count, true),
            Step::Kill(name, place) => {
                let list = self.manager.list().unwrap();
                let pid = list.find(name, place).unwrap().pid();
                process::signal(pid, Signal::KILL).unwrap();
                self.list = list;
            }
            Step::Gone(name) => {
                let pid = self.written_pid(name);
                let gone = try_until(PATIENCE, || !process::is_alive(pid));
                self.facts
                    .note(format!("{number} {name} gone"), gone.is_ok().to_string());
            }
            Step::Lives(name) => {
                let lives = process::is_alive(self.written_pid(name));
                self.facts
                    .note(format!("{number} {name} lives"), lives.to_string());
            }
            Step::Write(name, text) => fs::write(self.manager.work().join(name), text).unwrap(),
            Step::Remove(name) => fs::remove_file(self.manager.work().join(name)).unwrap(),
            Step::Copy(from, name) => {
                fs::copy(from, self.manager.work().join(name)).unwrap();
            }
        }
    }

    fn run(&mut self, words: &str, variables: &[(&str, &str)], input: Option<&str>) -> Done {
        let done = self.manager.run(words, variables, input);
        let _ = writeln!(self.said, "  $ {words}   # {}", done.code);
        // PM2's table says nothing that its list does not say.
        let is_table = |line: &&String| line.starts_with(['┌', '├', '│', '└']);
        for line in done
            .out
            .iter()
            .chain(&done.err)
            .filter(|line| !is_table(line))
        {
            let _ = writeln!(self.said, "  | {line}");
        }
        done
    }

    fn exit(&mut self, number: usize, words: &str, more: &[(&str, &str)], input: Option<&str>) {
        let done = self.run(words, more, input);
        self.facts
            .note(format!("{number} {words} | exit"), done.code.to_string());
    }

    /// Waits for a list. One that does not come is a fact, too: the last that was seen.
    fn look(&mut self, number: usize, wanted: &str, label: &str) {
        let mut last = List::default();
        let manager = &mut self.manager;
        let come = try_until(PATIENCE, || {
            last = manager.list()?;
            match last.is(wanted) {
                true => Ok(()),
                false => Err(last.words(true)),
            }
        });
        let step = format!("{number} {label}");
        match come {
            Ok(()) => self.facts.note_list(&step, &last, &self.list),
            Err(seen) => self
                .facts
                .note(format!("{step} | came"), format!("no, but: {seen}")),
        }
        self.list = last;
    }

    fn fields(&mut self, number: usize, names: &[&str]) {
        let list = self.manager.printed_list().unwrap();
        for (name, one) in list.named() {
            for pointer in names {
                let kind = match one.json.pointer(pointer) {
                    None => "absent",
                    Some(serde_json::Value::Null) => "null",
                    Some(serde_json::Value::Bool(_)) => "boolean",
                    Some(serde_json::Value::Number(_)) => "number",
                    Some(serde_json::Value::String(_)) => "text",
                    Some(serde_json::Value::Array(_)) => "array",
                    Some(serde_json::Value::Object(_)) => "object",
                };
                self.facts.note(format!("{number} {name} {pointer}"), kind);
            }
        }
    }

    /// A file's text as soon as there is one, and its last line has its end.
    fn whole_file(&self, name: &str) -> String {
        let path = self.path(name);
        until(&format!("a whole {}", path.display()), PATIENCE, || {
            let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
            match text.ends_with('\n') {
                true => Ok(text),
                false => Err(text),
            }
        })
    }

    fn written_pid(&self, name: &str) -> u32 {
        let text = self.whole_file(name);
        text.trim().parse().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        match name.strip_prefix("home/") {
            Some(below) => self.manager.home().join(below),
            None => self.manager.work().join(name),
        }
    }

    fn names(&mut self, number: usize, folder: &str, count: usize) {
        let path = self.path(folder);
        let look = || {
            let mut names: Vec<String> = fs::read_dir(&path)
                .map_err(|error| format!("(no folder: {error})"))?
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect();
            names.sort();
            let text = names.join(" ");
            match names.len() == count {
                true => Ok(text),
                false => Err(text),
            }
        };
        let names = try_until(PATIENCE, look).unwrap_or_else(|names| names);
        self.facts.note(format!("{number} {folder}"), names);
    }

    fn file_lines(&mut self, number: usize, name: &str, count: usize, shape: bool) {
        let path = self.path(name);
        let text = try_until(PATIENCE, || read_lines(&path, count)).unwrap_or_else(|text| text);
        self.lines(number, name, text.lines(), shape);
    }

    fn lines<'a>(
        &mut self,
        number: usize,
        name: &str,
        lines: impl Iterator<Item = &'a str>,
        shape: bool,
    ) {
        for (at, line) in lines.enumerate() {
            let line = self.manager.without_paths(line);
            let line = match shape {
                true => line.replace(|letter: char| letter.is_ascii_digit(), "9"),
                false => line,
            };
            self.facts
                .note(format!("{number} {name} | line {}", at + 1), line);
        }
    }
}

fn read_lines(path: &Path, count: usize) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    // A pid file has no end of a line.
    let is_whole = text.ends_with('\n') || !text.contains('\n');
    match is_whole && text.lines().count() == count {
        true => Ok(text),
        false => Err(text),
    }
}
