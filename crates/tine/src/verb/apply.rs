//! `tine apply`: makes the list what a process file says.

use crate::acting::{Acting, runs};
use crate::args::keep::Apply;
use crate::daemon;
use crate::exit;
use crate::meant;
use crate::show::plan::plan;
use crate::trouble::Trouble;
use crate::ui::{self, Ui};
use std::io::{BufRead, IsTerminal};
use tine_config::{Difference, Loaded, Options, Present, difference};
use tine_control::client::Client;
use tine_control::reply::Described;
use tine_control::request::{self, IfPresent, ScaleTo};
use tine_control::{Target, Variables};

pub(crate) fn run(args: &Apply, ui: Ui) -> Result<u8, Trouble> {
    if args.prune && !args.file.only.is_empty() {
        return Err(Trouble::usage(
            "--prune deletes what is not in the file, and --only says that not all of it counts",
        ));
    }
    let around = meant::around()?;
    let word = match &args.path {
        Some(word) => word.clone(),
        None => meant::default_file(&around)?,
    };
    let source = meant::source_or_file(&word, &around);
    let loaded = meant::file(&source, &args.file, Options::default(), &around, ui)?;
    let there = match daemon::present()? {
        Some(mut client) => client.ask(&request::Describe {
            target: Target::All,
        })?,
        None => Described::default(),
    };
    let steps = Steps::new(args, loaded, &there);
    if args.waiting.json && args.dry_run {
        ui::print_json(&steps.all)?;
    } else {
        let text = plan(&steps.all, args.prune, ui.out);
        // With --json, standard output is for the answer.
        if args.dry_run || !args.waiting.json {
            ui::print(&text)?;
        }
    }
    if steps.is_empty() {
        ui.say("everything is as the file says");
        return Ok(exit::DONE);
    }
    if args.dry_run {
        return Ok(exit::APP_FAILED);
    }
    if !args.yes && !agreed() {
        ui.say("nothing was changed");
        return Ok(exit::APP_FAILED);
    }
    let mut client = daemon::ensured()?;
    let mut acting = Acting::new(ui, args.waiting, "the change");
    steps.carry_out(&meant::shell(&around), &mut acting, &mut client)?;
    acting.finish(&mut client, "applied")
}

/// Asks on a terminal; a script that runs this has decided already.
fn agreed() -> bool {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return true;
    }
    ui::talk("go on? [y/N] ");
    let mut answer = String::new();
    match stdin.lock().read_line(&mut answer) {
        Ok(_) => matches!(answer.trim(), "y" | "Y" | "yes"),
        Err(_) => false,
    }
}

/// What has to happen.
struct Steps {
    all: Vec<Difference>,
    loaded: Loaded,
    /// Apps that are as the file says, and of which something does not run.
    not_running: Vec<String>,
    prune: bool,
    if_changed: IfPresent,
}

impl Steps {
    fn new(args: &Apply, loaded: Loaded, there: &Described) -> Self {
        let present: Vec<Present<'_>> = there
            .apps
            .values()
            .map(|app| Present {
                app: &app.spec,
                slots: app.slots as usize,
            })
            .collect();
        let all = difference(
            loaded.file.as_deref(),
            &loaded.apps,
            &present,
            tine_daemon::usable_cores(),
            args.show_values,
        );
        let not_running = all
            .iter()
            .filter_map(|step| match step {
                Difference::Same { app } => Some(app),
                _ => None,
            })
            .filter(|name| {
                loaded
                    .apps
                    .iter()
                    .any(|app| app.name == **name && app.autostart)
            })
            .filter(|name| {
                let mut processes = there.processes.iter().filter(|one| one.name == **name);
                processes.any(|one| !runs(one.status))
            })
            .cloned()
            .collect();
        Steps {
            all,
            loaded,
            not_running,
            prune: args.prune,
            if_changed: if args.restart {
                IfPresent::Restart
            } else {
                IfPresent::Reload
            },
        }
    }

    fn is_empty(&self) -> bool {
        let something = self.all.iter().any(|step| match step {
            Difference::Added { .. } | Difference::Changed { .. } | Difference::Scaled { .. } => {
                true
            }
            Difference::Unlisted { from_this_file, .. } => self.prune && *from_this_file,
            Difference::Same { .. } => false,
        });
        !something && self.not_running.is_empty()
    }

    fn carry_out(
        self,
        shell: &Variables,
        acting: &mut Acting,
        client: &mut Client,
    ) -> Result<(), Trouble> {
        let wait = acting.waits();
        let (mut added, mut changed, mut scaled, mut deleted) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for step in self.all {
            match step {
                Difference::Added { app, .. } => added.push(app),
                Difference::Changed { app, .. } => changed.push(app),
                Difference::Scaled { app, to, .. } => scaled.push((app, to)),
                Difference::Unlisted {
                    app,
                    from_this_file: true,
                } if self.prune => deleted.push(Target::Name(app)),
                Difference::Unlisted { .. } | Difference::Same { .. } => {}
            }
        }
        // What goes makes room, perhaps of its port, for what comes.
        if !deleted.is_empty() {
            let target = Target::Several(deleted);
            acting.ask(client, &request::Delete { target, wait })?;
        }
        for (names, if_present) in [(added, IfPresent::Refuse), (changed, self.if_changed)] {
            let apps: Vec<_> = self
                .loaded
                .apps
                .iter()
                .filter(|app| names.contains(&app.name))
                .cloned()
                .collect();
            if !apps.is_empty() {
                let verb = request::Start {
                    apps,
                    target: None,
                    if_present,
                    inherited_env: shell.clone(),
                    wait,
                };
                acting.ask(client, &verb)?;
            }
        }
        for (name, to) in scaled {
            let verb = request::Scale {
                target: Target::Name(name),
                to: ScaleTo::Exactly(u32::try_from(to).unwrap_or(u32::MAX)),
                wait,
            };
            acting.ask(client, &verb)?;
        }
        if !self.not_running.is_empty() {
            let names = self.not_running.into_iter().map(Target::Name);
            let verb = request::Start {
                target: Some(Target::Several(names.collect())),
                wait,
                ..request::Start::default()
            };
            acting.ask(client, &verb)?;
        }
        Ok(())
    }
}
