//! What would have to happen for the world to match a file?

use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tine_control::AppSpec;

/// What stands for the value of a variable.
pub const HIDDEN: &str = "***";
/// What says nothing about how an app runs, or is compared apart.
const NOT_COMPARED: &[&str] = &["name", "instances", "env", "inherited_env", "defined_in"];

/// An app that the daemon has.
#[derive(Debug, Clone, Copy)]
pub struct Present<'a> {
    /// As it was last asked for.
    pub app: &'a AppSpec,
    /// How many processes it has now, running or not.
    pub slots: usize,
}

/// One step from the world to the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Difference {
    /// It is in the file alone: it is to be started.
    Added {
        /// Its name.
        app: String,
        /// How many processes it will have.
        processes: usize,
    },
    /// Something of it is different: it is to be reloaded.
    Changed {
        /// Its name.
        app: String,
        /// What is different.
        fields: Vec<FieldChange>,
        /// How many processes it has.
        from: usize,
        /// How many it will have.
        to: usize,
    },
    /// Only the number of its processes is different.
    Scaled {
        /// Its name.
        app: String,
        /// How many processes it has.
        from: usize,
        /// How many it will have.
        to: usize,
    },
    /// It is as the file says.
    Same {
        /// Its name.
        app: String,
    },
    /// The daemon alone has it: with `--prune` it is to be deleted.
    Unlisted {
        /// Its name.
        app: String,
        /// Whether it came from this very file before. Others belong to somebody else.
        from_this_file: bool,
    },
}

/// A field with two values. `None`: it is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Its name, such as `kill_timeout` or `env.PORT`.
    pub field: String,
    /// As it is.
    pub old: Option<Value>,
    /// As it will be.
    pub new: Option<Value>,
}

/// The steps from the apps that the daemon has to those of a file, in the order of the file, then
/// what it does not have. The variables of shells are not compared. `cores` is how many processes
/// `max` means; with `reveal` the values of variables are shown, else [`HIDDEN`].
#[must_use]
pub fn difference(
    file: Option<&Path>,
    wanted: &[AppSpec],
    present: &[Present<'_>],
    cores: usize,
    reveal: bool,
) -> Vec<Difference> {
    let by_name: BTreeMap<&str, Present<'_>> = present
        .iter()
        .map(|present| (present.app.name.as_str(), *present))
        .collect();
    let mut steps: Vec<Difference> = wanted
        .iter()
        .map(|app| match by_name.get(app.name.as_str()) {
            None => Difference::Added {
                app: app.name.clone(),
                processes: app.instances.resolve(cores),
            },
            Some(present) => between(*present, app, cores, reveal),
        })
        .collect();
    let listed: BTreeSet<&str> = wanted.iter().map(|app| app.name.as_str()).collect();
    for (name, present) in by_name {
        if !listed.contains(name) {
            steps.push(Difference::Unlisted {
                app: name.to_owned(),
                from_this_file: file.is_some() && present.app.defined_in.as_deref() == file,
            });
        }
    }
    steps
}

fn between(present: Present<'_>, wanted: &AppSpec, cores: usize, reveal: bool) -> Difference {
    let app = wanted.name.clone();
    let (from, to) = (present.slots, wanted.instances.resolve(cores));
    let fields = fields(present.app, wanted, reveal);
    match (fields.is_empty(), from == to) {
        (false, _) => Difference::Changed {
            app,
            fields,
            from,
            to,
        },
        (true, false) => Difference::Scaled { app, from, to },
        (true, true) => Difference::Same { app },
    }
}

/// The fields by which one app differs from another of the same name, without the number of its
/// instances, what it inherits, and where it is defined.
#[must_use]
pub fn fields(old: &AppSpec, new: &AppSpec, reveal: bool) -> Vec<FieldChange> {
    let (mut before, after) = (all(old), all(new));
    let mut changes = Vec::new();
    for (field, new) in after {
        let old = before.remove(&field);
        if NOT_COMPARED.contains(&field.as_str()) || old.as_ref() == Some(&new) {
            continue;
        }
        changes.push(FieldChange {
            field,
            old: old.filter(|value| !value.is_null()),
            new: Some(new).filter(|value| !value.is_null()),
        });
    }
    let names: BTreeSet<&String> = old.env.keys().chain(new.env.keys()).collect();
    for name in names {
        let (old, new) = (old.env.get(name), new.env.get(name));
        if old == new {
            continue;
        }
        let shown = |value: Option<&String>| {
            value.map(|value| Value::from(if reveal { value.as_str() } else { HIDDEN }))
        };
        changes.push(FieldChange {
            field: format!("env.{name}"),
            old: shown(old),
            new: shown(new),
        });
    }
    changes
}

fn all(app: &AppSpec) -> Map<String, Value> {
    match serde_json::to_value(app) {
        Ok(Value::Object(all)) => all,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    fn app(name: &str) -> AppSpec {
        AppSpec::new(name, format!("/srv/{name}.js"), "/srv")
    }

    fn steps(wanted: &[AppSpec], present: &[(AppSpec, usize)], reveal: bool) -> Value {
        let present: Vec<Present<'_>> = present
            .iter()
            .map(|(app, slots)| Present { app, slots: *slots })
            .collect();
        let file = Path::new("/srv/tine.toml");
        let steps = difference(Some(file), wanted, &present, 4, reveal);
        serde_json::to_value(steps).unwrap()
    }

    #[test]
    fn every_app_has_its_step() {
        let mut max = app("max");
        max.instances = "max".parse().unwrap();
        let mut ours = app("ours");
        ours.defined_in = Some("/srv/tine.toml".into());
        let mut inherits = app("same");
        inherits
            .inherited_env
            .insert("SHELL".to_owned(), "sh".to_owned());
        let wanted = [app("new"), max.clone(), app("same"), app("more")];
        let present = [
            (inherits, 1),
            (max, 4),
            (app("more"), 3),
            (ours, 1),
            (app("other"), 1),
        ];
        assert_eq!(
            steps(&wanted, &present, false),
            json!([
                {"what": "added", "app": "new", "processes": 1},
                {"what": "same", "app": "max"},
                {"what": "same", "app": "same"},
                {"what": "scaled", "app": "more", "from": 3, "to": 1},
                {"what": "unlisted", "app": "other", "from_this_file": false},
                {"what": "unlisted", "app": "ours", "from_this_file": true},
            ])
        );
    }

    #[test]
    fn what_changed_is_shown_without_secrets_unless_asked() {
        let (mut old, mut new) = (app("web"), app("web"));
        new.kill_timeout = Duration::ZERO;
        new.out_file = Some("/x.log".into());
        for (name, value) in [("KEY", "secret1"), ("GONE", "secret2"), ("SAME", "x")] {
            old.env.insert(name.to_owned(), value.to_owned());
        }
        for (name, value) in [("KEY", "secret3"), ("NEW", "secret4"), ("SAME", "x")] {
            new.env.insert(name.to_owned(), value.to_owned());
        }
        let hidden = steps(&[new.clone()], &[(old.clone(), 1)], false);
        assert_eq!(
            hidden[0]["fields"],
            json!([
                {"field": "kill_timeout", "old": 1600, "new": 0},
                {"field": "out_file", "old": null, "new": "/x.log"},
                {"field": "env.GONE", "old": "***", "new": null},
                {"field": "env.KEY", "old": "***", "new": "***"},
                {"field": "env.NEW", "old": null, "new": "***"},
            ])
        );
        assert!(!hidden.to_string().contains("secret"));
        let shown = steps(&[new], &[(old, 1)], true);
        assert!(shown.to_string().contains("secret3"));
    }
}
