//! How does the difference between the world and a process file look?

use super::words::harmless;
use crate::style::{Role, Styles};
use serde_json::Value;
use std::fmt::Write as _;
use tine_config::Difference;
use tine_config::difference::FieldChange;

/// What changes of one app, in words: `kill_timeout: 1600 -> 5000`.
pub(crate) fn changes(step: &Difference) -> Vec<String> {
    match step {
        Difference::Changed {
            fields, from, to, ..
        } => {
            let mut words: Vec<String> = fields.iter().map(field).collect();
            words.extend(processes(*from, *to));
            words
        }
        Difference::Scaled { from, to, .. } => processes(*from, *to).into_iter().collect(),
        Difference::Added { .. } | Difference::Same { .. } | Difference::Unlisted { .. } => {
            Vec::new()
        }
    }
}

fn processes(from: usize, to: usize) -> Option<String> {
    (from != to).then(|| format!("processes: {from} -> {to}"))
}

fn field(change: &FieldChange) -> String {
    let value = |value: &Option<Value>| match value {
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) => harmless(text),
        Some(other) => harmless(&other.to_string()),
    };
    format!(
        "{}: {} -> {}",
        harmless(&change.field),
        value(&change.old),
        value(&change.new)
    )
}

/// The difference, a line for each app that is not the same and one for each field. `prune`:
/// whether what is not in the file goes.
pub(crate) fn plan(steps: &[Difference], prune: bool, styles: Styles) -> String {
    let mut text = String::new();
    for step in steps {
        let (mark, role, app, how) = match step {
            Difference::Added { app, processes } => {
                ("+", Role::Good, app, format!("start {processes}"))
            }
            Difference::Changed { app, .. } => ("~", Role::Hint, app, "change".to_owned()),
            Difference::Scaled { app, .. } => ("~", Role::Hint, app, "scale".to_owned()),
            Difference::Unlisted {
                app,
                from_this_file: true,
            } if prune => ("-", Role::Bad, app, "delete".to_owned()),
            Difference::Unlisted {
                app,
                from_this_file: true,
            } => (
                " ",
                Role::Quiet,
                app,
                "is not in the file any more; --prune deletes it".to_owned(),
            ),
            Difference::Unlisted { .. } | Difference::Same { .. } => continue,
        };
        let line = format!("{mark} {}: {how}", harmless(app));
        let _ = writeln!(text, "{}", styles.paint(role, &line));
        for change in changes(step) {
            let _ = writeln!(text, "    {change}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plan_shows_what_will_happen_and_nothing_else() {
        let app = |name: &str| name.to_owned();
        let steps = [
            Difference::Added {
                app: app("new"),
                processes: 2,
            },
            Difference::Changed {
                app: app("web"),
                fields: vec![FieldChange {
                    field: "kill_timeout".to_owned(),
                    old: Some(json!(1600)),
                    new: Some(json!(5000)),
                }],
                from: 2,
                to: 3,
            },
            Difference::Same { app: app("same") },
            Difference::Scaled {
                app: app("job"),
                from: 1,
                to: 2,
            },
            Difference::Unlisted {
                app: app("old"),
                from_this_file: true,
            },
            Difference::Unlisted {
                app: app("other"),
                from_this_file: false,
            },
        ];
        let text = plan(&steps, true, Styles::plain());
        assert_eq!(
            text,
            "\
+ new: start 2
~ web: change
    kill_timeout: 1600 -> 5000
    processes: 2 -> 3
~ job: scale
    processes: 1 -> 2
- old: delete
"
        );
        assert!(plan(&steps, false, Styles::plain()).contains("--prune deletes it"));
    }
}
