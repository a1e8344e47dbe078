//! What has to be started, and what is there already?
//!
//! PM2 restarts what runs when it is to be started. Here it is left as it is; where it is not what
//! was asked for now, that is said and is a failure.

use crate::acting::runs;
use crate::args::act::Start;
use crate::asked;
use crate::exit;
use crate::meant;
use crate::show::words::harmless;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_config::{Around, Kind, Options, Present, kind_of};
use tine_control::client::Client;
use tine_control::request::Describe;
use tine_control::{AppInfo, AppSpec, Changes, ProcessInfo, Target};

/// The words of the user, and what they are seen from.
pub(super) struct Wanted<'a> {
    args: &'a Start,
    words: Vec<String>,
    options: Options,
    pub(super) around: Around,
    ui: Ui,
}

/// What has to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Apps that are not there.
    pub(super) new: Vec<AppSpec>,
    /// Apps that are there and do not run; they become what is asked for now.
    pub(super) stopped: Vec<AppSpec>,
    /// Apps that are there and get further processes.
    pub(super) further: Vec<AppSpec>,
    /// Processes that are there, as they are.
    pub(super) known: Vec<Target>,
    /// Processes that are there, with changes.
    pub(super) changed: Vec<Target>,
    pub(super) changes: Changes,
    /// What runs and is not what was asked for, in words.
    differs: Vec<String>,
}

impl Plan {
    pub(super) fn is_empty(&self) -> bool {
        self.new.is_empty()
            && self.stopped.is_empty()
            && self.further.is_empty()
            && self.known.is_empty()
            && self.changed.is_empty()
            && self.differs.is_empty()
    }

    /// Says what runs and is not what was asked for; the exit code for it.
    pub(super) fn left_as_it_is(&self, ui: Ui) -> u8 {
        for differs in &self.differs {
            ui.error(&Trouble::new(exit::APP_FAILED, differs).hint(
                "`tine restart NAME` or `tine reload NAME` with the same options changes it; \
                 `tine apply FILE` does what a process file says",
            ));
        }
        if self.differs.is_empty() {
            exit::DONE
        } else {
            exit::APP_FAILED
        }
    }
}

impl<'a> Wanted<'a> {
    pub(super) fn new(args: &'a Start, ui: Ui) -> Result<Self, Trouble> {
        let around = meant::around()?;
        let mut words = args.targets.clone();
        if words.is_empty() {
            words.push(meant::default_file(&around)?);
        }
        let has_file = words
            .iter()
            .any(|word| meant::source(word, &around).is_some());
        if !has_file {
            if args.file.env.is_some() {
                return Err(Trouble::usage(
                    "--env chooses variables of a process file, and none is given",
                ));
            }
            if !args.file.only.is_empty() {
                return Err(Trouble::usage(
                    "--only chooses apps of a process file, and none is given",
                ));
            }
        }
        if words.len() > 1 && args.app.name.is_some() {
            return Err(Trouble::usage(format!(
                "one name cannot be given to {} targets",
                words.len()
            )));
        }
        Ok(Wanted {
            args,
            words,
            options: asked::options(&args.app, &args.arguments),
            around,
            ui,
        })
    }

    /// Compares the words with what is there. `client` is the daemon, if there is one.
    pub(super) fn plan(
        &self,
        known: &[ProcessInfo],
        mut client: Option<&mut Client>,
    ) -> Result<Plan, Trouble> {
        let mut plan = Plan::default();
        for word in &self.words {
            if let Some(source) = meant::source(word, &self.around) {
                let options = self.options.clone();
                let (chosen, around) = (&self.args.file, &self.around);
                let loaded = meant::file(&source, chosen, options, around, self.ui)?;
                for app in loaded.apps {
                    let force = self.args.force || loaded.forced.contains(&app.name);
                    self.app(app, force, known, client.as_deref_mut(), &mut plan)?;
                }
                continue;
            }
            match self.meaning(word, known)? {
                Some(target) => self.known(word, target, known, &mut plan)?,
                None => {
                    // Arguments are among the options.
                    let (options, around) = (&self.options, &self.around);
                    let app = meant::app(word, &[], options, around, self.ui)?;
                    let force = self.args.force;
                    self.app(app, force, known, client.as_deref_mut(), &mut plan)?;
                }
            }
        }
        Ok(plan)
    }

    /// What a word means among that which is there; nothing: it is a script.
    fn meaning(&self, word: &str, known: &[ProcessInfo]) -> Result<Option<Target>, Trouble> {
        let is_known = |one: &ProcessInfo| one.name == word || one.namespace == word;
        let target = || Target::from_words([word], &self.around.cwd);
        match kind_of(word, &self.around) {
            Kind::Number(number) => {
                let is_id = |one: &ProcessInfo| u64::from(one.id) == number;
                if known.iter().any(|one| is_known(one) || is_id(one)) {
                    return Ok(Some(target()));
                }
                let text = format!("no process has the id {word}");
                Err(Trouble::new(exit::NOT_FOUND, text)
                    .hint(format!("a script of this name is `./{word}`")))
            }
            Kind::Bare if word == "all" || known.iter().any(is_known) => Ok(Some(target())),
            Kind::Path(path) => match target() {
                target @ Target::Regex(_) if !path.exists() => Ok(Some(target)),
                _ => Ok(None),
            },
            Kind::Bare | Kind::Command | Kind::ProcessFile(_) | Kind::Stdin => Ok(None),
        }
    }

    /// Processes that are there.
    fn known(
        &self,
        word: &str,
        target: Target,
        known: &[ProcessInfo],
        plan: &mut Plan,
    ) -> Result<(), Trouble> {
        if self.args.force {
            return Err(Trouble::usage(format!(
                "-f starts an app beside one that is there, and {word:?} is no script"
            ))
            .hint(format!("`tine scale {word} +1` starts a further process")));
        }
        if self.options.given().is_empty() && !self.args.update_env {
            plan.known.push(target);
            return Ok(());
        }
        let meant = |one: &&ProcessInfo| match &target {
            Target::All => true,
            Target::Regex(_) => false,
            _ => one.name == word || one.namespace == word || one.id.to_string() == word,
        };
        let running: Vec<&str> = known
            .iter()
            .filter(meant)
            .filter(|one| runs(one.status))
            .map(|one| one.name.as_str())
            .collect();
        if let Some(name) = running.first() {
            plan.differs.push(format!(
                "{} runs already, and keeps the options it was started with",
                harmless(name)
            ));
            return Ok(());
        }
        plan.changes = meant::changes(&self.options, &self.around, self.ui)?;
        plan.changed.push(target);
        Ok(())
    }

    /// An app in its final form.
    fn app(
        &self,
        app: AppSpec,
        force: bool,
        known: &[ProcessInfo],
        client: Option<&mut Client>,
        plan: &mut Plan,
    ) -> Result<(), Trouble> {
        let mut of_this_name = known.iter().filter(|one| one.name == app.name).peekable();
        let (Some(_), Some(client)) = (of_this_name.peek(), client) else {
            plan.new.push(app);
            return Ok(());
        };
        if force {
            plan.further.push(app);
            return Ok(());
        }
        let running = of_this_name.filter(|one| runs(one.status)).count();
        let name = Target::Name(app.name.clone());
        let described = client.ask(&Describe {
            target: name.clone(),
        })?;
        let there = described.apps.get(&app.name);
        if let Some(AppInfo { spec, .. }) = there
            && spec.script != app.script
        {
            return Err(Trouble::new(
                exit::APP_FAILED,
                format!(
                    "an app called {:?} is there already: {}",
                    app.name,
                    spec.script.display()
                ),
            )
            .hint("give this one another name with --name, or delete that one"));
        }
        if running == 0 {
            plan.stopped.push(app);
            return Ok(());
        }
        if let Some(there) = there {
            let differs = differing(there, &app);
            if !differs.is_empty() {
                plan.differs.push(format!(
                    "{} runs already, and is not what was asked for: {differs}",
                    harmless(&app.name)
                ));
                return Ok(());
            }
        }
        plan.known.push(name);
        Ok(())
    }
}

/// In what an app that is there differs from one that was asked for, in words; empty: in nothing.
fn differing(there: &AppInfo, wanted: &AppSpec) -> String {
    let present = Present {
        app: &there.spec,
        slots: there.slots as usize,
    };
    let cores = tine_daemon::usable_cores();
    let wanted = std::slice::from_ref(wanted);
    let steps = tine_config::difference(None, wanted, &[present], cores, false);
    let words: Vec<String> = steps.iter().flat_map(crate::show::plan::changes).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_differ_in_what_was_asked_for_and_not_in_where() {
        let there = AppInfo {
            spec: AppSpec::new("web", "/srv/app.js", "/srv"),
            slots: 1,
            policy: None,
        };
        let mut wanted = there.spec.clone();
        wanted.defined_in = Some("/srv/ecosystem.config.js".into());
        wanted.inherited_env = [("PATH", "/bin")].into_iter().collect();
        assert_eq!(differing(&there, &wanted), "");
        wanted.max_restarts = 0;
        wanted.env = [("A", "secret")].into_iter().collect();
        wanted.instances = "3".parse().unwrap();
        let words = differing(&there, &wanted);
        for part in [
            "max_restarts: 16 -> 0",
            "env.A: none -> ",
            "processes: 1 -> 3",
        ] {
            assert!(words.contains(part), "{part:?} in {words:?}");
        }
        assert!(!words.contains("secret"), "{words}");
    }
}
