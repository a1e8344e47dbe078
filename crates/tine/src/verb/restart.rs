//! `tine restart`: stops processes and starts them again.

use crate::acting::Acting;
use crate::args::act::Restart;
use crate::asked;
use crate::daemon;
use crate::meant;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_control::client::Client;
use tine_control::request::{self, IfPresent};
use tine_control::{AppSpec, Changes, Target, Variables};

pub(crate) fn run(args: &Restart, ui: Ui) -> Result<u8, Trouble> {
    let wanted = Wanted::new(args, ui)?;
    let mut client = wanted.client()?;
    let mut acting = Acting::new(ui, args.waiting, "the restart");
    let wait = acting.waits();
    if let Some(target) = wanted.target.clone() {
        let verb = request::Restart {
            target,
            changes: wanted.changes.clone(),
            inherited_env: wanted.renewed(),
            parallel: args.parallel,
            wait,
        };
        acting.ask(&mut client, &verb)?;
    }
    if let Some(verb) = wanted.of_files(IfPresent::Restart, wait) {
        acting.ask(&mut client, &verb)?;
    }
    wanted.end(acting, &mut client, "restarted")
}

/// What is to be restarted or reloaded, and as what.
pub(super) struct Wanted<'a> {
    args: &'a Restart,
    /// What is there, by words.
    pub(super) target: Option<Target>,
    pub(super) changes: Changes,
    /// What process files define.
    apps: Vec<AppSpec>,
    shell: Variables,
    ui: Ui,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(args: &'a Restart, ui: Ui) -> Result<Self, Trouble> {
        asked::warn_of_needless(&args.app, ui);
        let around = meant::around()?;
        let options = asked::options(&args.app, &args.arguments);
        let mut words = Vec::new();
        let mut apps = Vec::new();
        for word in &args.targets {
            match meant::source(word, &around) {
                Some(source) => {
                    let loaded = meant::file(&source, &args.file, options.clone(), &around, ui)?;
                    apps.extend(loaded.apps);
                }
                None => words.push(word.as_str()),
            }
        }
        if apps.is_empty() && (args.file.env.is_some() || !args.file.only.is_empty()) {
            return Err(Trouble::usage(
                "--env and --only are about a process file, and none is given",
            )
            .hint("name the file: `tine restart ecosystem.config.js --env production`"));
        }
        if !apps.is_empty() && args.parallel.is_some() {
            return Err(Trouble::usage(
                "--parallel is about processes that are there, and not for process files",
            )
            .hint("name the apps of the file instead"));
        }
        let target =
            (!words.is_empty()).then(|| Target::from_words(words.iter().copied(), &around.cwd));
        let changes = match &target {
            Some(_) => meant::changes(&options, &around, ui)?,
            None => Changes::default(),
        };
        Ok(Wanted {
            args,
            target,
            changes,
            apps,
            shell: meant::shell(&around),
            ui,
        })
    }

    /// The daemon; words mean nothing without one, but what a file defines can be started.
    pub(super) fn client(&self) -> Result<Client, Trouble> {
        if self.target.is_some() {
            daemon::for_targets(&self.args.targets)
        } else {
            daemon::ensured()
        }
    }

    /// The variables of the shell, if they are wanted.
    pub(super) fn renewed(&self) -> Option<Variables> {
        self.args.update_env.then(|| self.shell.clone())
    }

    /// What is to be said about the apps of files.
    pub(super) fn of_files(&self, if_present: IfPresent, wait: bool) -> Option<request::Start> {
        (!self.apps.is_empty()).then(|| request::Start {
            apps: self.apps.clone(),
            target: None,
            if_present,
            inherited_env: self.shell.clone(),
            wait,
        })
    }

    /// Tells what became of it.
    pub(super) fn end(
        &self,
        acting: Acting,
        client: &mut Client,
        verb: &str,
    ) -> Result<u8, Trouble> {
        if self.args.after.attach {
            let told = acting.tell(verb)?;
            return Ok(told.max(super::logs::follow(client, &acting.ids(), self.ui)?));
        }
        acting.finish(client, verb)
    }
}
