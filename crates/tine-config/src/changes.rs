//! Which fields of apps that are there are to change?

use crate::around::Around;
use crate::options::{LogFile, Options, Words};
use crate::problem::{Found, Problem, Problems};
use crate::resolve::fill;
use serde_json::{Map, Value};
use tine_control::{AppSpec, Changes, ExecMode};

/// What options beside `tine restart APP` (or `reload`, or `start` of an app that is there) ask to
/// be changed. Paths are taken from `--cwd` if it is given, else from the caller's folder. The word
/// `null` as all of the arguments takes them away.
///
/// # Errors
/// Words that cannot be split, an interpreter that is named wrongly, and `--log` without a path where
/// there is no one name to make a path of.
pub fn changes(options: &Options, around: &Around) -> Result<Changes, Problems> {
    let mut found = Found::default();
    let cwd = match &options.cwd {
        Some(cwd) => around.absolute(cwd, &around.cwd),
        None => around.cwd.clone(),
    };
    let name = options.name.clone().unwrap_or_default();
    let mut app = AppSpec::new(name, "", cwd);
    fill(&mut app, options, around);
    if options.log_file == Some(LogFile::Default) && options.name.is_none() {
        found.add(
            Problem::error("there is no one name to make a path of")
                .hint("name the file: --log PATH")
                .field("log"),
        );
    }
    let mut all = match serde_json::to_value(&app) {
        Ok(Value::Object(all)) => all,
        Ok(_) => Map::new(),
        Err(error) => {
            found.add(Problem::error(format!("writing the changes down: {error}")));
            Map::new()
        }
    };
    let mut changes = Map::new();
    for field in options.given() {
        let new = match field {
            "args" => words(options.args.as_ref(), "args", &mut found),
            "interpreter_args" => words(
                options.interpreter_args.as_ref(),
                "interpreter_args",
                &mut found,
            ),
            "interpreter" => interpreter(options, &app, around, &mut found),
            "exec_mode" => mode(options.exec_mode),
            "execute_command" => match options.execute_command {
                Some(true) if options.exec_mode.is_none() => {
                    changes.insert("exec_mode".to_owned(), mode(Some(ExecMode::Fork)));
                    continue;
                }
                _ => continue,
            },
            "time" if options.log_date_format.is_some() => continue,
            "time" => {
                let form = all.get("log_date_format").cloned().unwrap_or_default();
                changes.insert("log_date_format".to_owned(), form);
                continue;
            }
            field => all.remove(field).unwrap_or_default(),
        };
        changes.insert(field.to_owned(), new);
    }
    found.into_warnings()?;
    Ok(Changes(changes))
}

fn words(words: Option<&Words>, field: &str, found: &mut Found) -> Value {
    let Some(words) = words else {
        return Value::Null;
    };
    if let Words::Line(line) = words
        && line.trim() == "null"
    {
        return Value::Null;
    }
    let split = words.split().map_err(|error| {
        Problem::error(format!("it cannot be split into words: {error}"))
            .hint("close the quotes")
            .field(field)
    });
    found.take(split).map_or(Value::Null, Value::from)
}

fn mode(mode: Option<ExecMode>) -> Value {
    serde_json::to_value(mode).unwrap_or_default()
}

/// The interpreter by itself; what it runs is not known here, so the `PATH` is not asked.
fn interpreter(options: &Options, app: &AppSpec, around: &Around, found: &mut Found) -> Value {
    match options.interpreter.as_deref() {
        None | Some("none") => Value::Null,
        Some(named) if named.trim().is_empty() => {
            found.add(
                Problem::error("is empty")
                    .hint("write `none` to execute the script itself")
                    .field("interpreter"),
            );
            Value::Null
        }
        Some(named) if named.contains('@') => {
            found.add(
                Problem::error(format!("{named:?} is no program"))
                    .hint("name the interpreter of an app that is there by its path")
                    .field("interpreter"),
            );
            Value::Null
        }
        Some(named) if named.contains('/') || named.starts_with('~') => {
            let path = around.absolute(named, &app.cwd);
            path.to_string_lossy().into_owned().into()
        }
        Some(named) => named.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    fn around() -> Around {
        Around {
            cwd: "/here".into(),
            env: [].into(),
            home: "/home/me/.tine".into(),
            tine: "/t".into(),
        }
    }

    fn changed(options: &Options) -> Value {
        Value::Object(changes(options, &around()).unwrap().0)
    }

    #[test]
    fn only_what_is_given_changes() {
        assert_eq!(changed(&Options::default()), json!({}));
        let options = Options {
            kill_timeout: Some(Duration::ZERO),
            autorestart: Some(false),
            out_file: Some("logs/x.log".to_owned()),
            error_file: Some("NULL".to_owned()),
            args: Some(Words::Line("--port '1 2'".to_owned())),
            interpreter_args: Some(Words::Line("null".to_owned())),
            interpreter: Some("./node".to_owned()),
            instances: "max".parse().ok(),
            ..Options::default()
        };
        assert_eq!(
            changed(&options),
            json!({
                "kill_timeout": 0, "autorestart": false, "out_file": "/here/logs/x.log",
                "error_file": "/dev/null", "args": ["--port", "1 2"], "interpreter_args": null,
                "interpreter": "/here/node", "instances": "max",
            })
        );
    }

    #[test]
    fn an_app_can_take_the_changes() {
        let app = AppSpec::new("web", "/srv/a.js", "/srv");
        let options = Options {
            name: Some("shop".to_owned()),
            time: Some(true),
            execute_command: Some(true),
            log_file: Some(LogFile::Default),
            exp_backoff_restart_delay: Some(Duration::ZERO),
            env: Some([("A", "1")].into_iter().collect()),
            ..Options::default()
        };
        let new = app.changed(&changes(&options, &around()).unwrap()).unwrap();
        assert_eq!(new.name, "shop");
        assert_eq!(new.log_date_format.as_deref(), Some("YYYY-MM-DDTHH:mm:ss"));
        assert_eq!(new.log_file, Some("/home/me/.tine/logs/shop.log".into()));
        assert_eq!(new.env.get("A").map(String::as_str), Some("1"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let default = Options::default;
        for options in [
            Options {
                args: Some(Words::Line("'open".to_owned())),
                ..default()
            },
            Options {
                interpreter: Some(String::new()),
                ..default()
            },
            Options {
                interpreter: Some("node@20".to_owned()),
                ..default()
            },
            Options {
                log_file: Some(LogFile::Default),
                ..default()
            },
        ] {
            let problems = changes(&options, &around()).unwrap_err();
            assert!(problems.errors().all(|problem| problem.hint.is_some()));
        }
    }
}
