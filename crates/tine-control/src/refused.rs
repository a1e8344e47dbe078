//! Which fields of PM2 are not there, and why?
//!
//! What is not in [`AppSpec`](crate::AppSpec) is refused by its name and never ignored in silence.

/// What is to be done about a field of PM2 that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It changes what happens, and is not there yet: refuse it.
    Later,
    /// It changes what happens, and will not be there: refuse it.
    Never,
    /// Nothing is lost without it: say so and go on.
    Needless,
}

/// One field that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Its name in a process file, in snake case.
    pub field: &'static str,
    /// Other names by which PM2 knows it, besides its own in camel case.
    pub aliases: &'static [&'static str],
    /// Its options on the command line of `pm2`, with their dashes.
    pub options: &'static [&'static str],
    /// What is to be done about it.
    pub fate: Fate,
    /// Why, in one line: lower case, without a full stop.
    pub reason: &'static str,
}

const fn later(
    field: &'static str,
    aliases: &'static [&'static str],
    options: &'static [&'static str],
    reason: &'static str,
) -> Refused {
    Refused {
        field,
        aliases,
        options,
        fate: Fate::Later,
        reason,
    }
}

const fn never(
    field: &'static str,
    options: &'static [&'static str],
    reason: &'static str,
) -> Refused {
    Refused {
        field,
        aliases: &[],
        options,
        fate: Fate::Never,
        reason,
    }
}

const fn needless(
    field: &'static str,
    options: &'static [&'static str],
    reason: &'static str,
) -> Refused {
    Refused {
        field,
        aliases: &[],
        options,
        fate: Fate::Needless,
        reason,
    }
}

const CRON: &str = "restarts by the clock are not there yet; cron itself can run `tine restart`";
const WATCH: &str = "watching files is not there yet; restart by hand with `tine restart`";
const APM: &str = "agents for PM2 Plus are not put into programs";

/// The fields of an app in a process file of PM2 that are not there, by name.
pub const FIELDS: &[Refused] = &[
    later(
        "cron_restart",
        &["cron"],
        &["--cron", "-c", "--cron-restart"],
        CRON,
    ),
    later("watch", &[], &["--watch"], WATCH),
    later("ignore_watch", &[], &["--ignore-watch", "--ext"], WATCH),
    later("watch_delay", &[], &["--watch-delay"], WATCH),
    later("watch_options", &[], &[], WATCH),
    later(
        "max_memory_restart",
        &[],
        &["--max-memory-restart"],
        "limits of memory are not there yet; a limit of a cgroup or `node --max-old-space-size` can \
         hold a program",
    ),
    never(
        "post_update",
        &[],
        "tine does not update repositories; run the commands where the update is made",
    ),
    never("trace", &["--trace"], APM),
    never("v8", &["--v8"], APM),
    never("event_loop_inspector", &["--event-loop-inspector"], APM),
    never("deep_monitoring", &["--deep-monitoring"], APM),
    never("install_url", &[], "PM2's modules are not there"),
    never(
        "name_prefix",
        &[],
        "it is internal to PM2; write the whole name",
    ),
    needless("disable_trace", &["--disable-trace"], APM),
    needless("pmx", &["--no-pmx"], APM),
    needless("automation", &["--no-automation"], APM),
    needless(
        "vizion",
        &["--no-vizion"],
        "repositories of programs are not read",
    ),
    needless(
        "kill_retry_time",
        &[],
        "the kernel tells at once when a process has ended; nothing is polled",
    ),
    needless("windows_hide", &[], "there are no windows on Linux"),
    needless("username", &[], "it is found out from the process itself"),
    needless(
        "write",
        &["--write", "-w"],
        "`tine init` writes a process file",
    ),
];

/// The keys beside `apps` in a process file of PM2 that are not there, by name.
pub const SECTIONS: &[Refused] = &[later(
    "deploy",
    &[],
    &[],
    "deploying is not there yet; call `tine apply FILE` at the end of what deploys",
)];

impl Refused {
    /// Whether a value only says that this is not wanted: `null`, `false`, 0, `"0"`, an empty
    /// text, list or object. Such a value is no reason to refuse anything.
    #[must_use]
    pub fn is_switched_off_by(&self, value: &serde_json::Value) -> bool {
        use serde_json::Value;
        match value {
            Value::Null => true,
            Value::Bool(on) => !on,
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::String(text) => text.is_empty() || text == "0",
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
        }
    }
}

/// The field of an app that is not there under this name, in snake case, camel case or an alias.
#[must_use]
pub fn field(name: &str) -> Option<&'static Refused> {
    find(FIELDS, name)
}

/// The key beside `apps` that is not there under this name.
#[must_use]
pub fn section(name: &str) -> Option<&'static Refused> {
    find(SECTIONS, name)
}

/// What belongs to an option of `pm2 start` that is not there, given with its dashes.
#[must_use]
pub fn option(option: &str) -> Option<&'static Refused> {
    FIELDS.iter().find(|one| one.options.contains(&option))
}

fn find(list: &'static [Refused], name: &str) -> Option<&'static Refused> {
    let name = snake_case(name);
    list.iter()
        .find(|one| one.field == name || one.aliases.contains(&name.as_str()))
}

/// `maxMemoryRestart` as `max_memory_restart`, and what is in snake case as it is.
#[must_use]
pub fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            if !snake.is_empty() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
        } else {
            snake.push(letter);
        }
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_not_there_is_found_by_each_of_its_names() {
        for name in ["cron_restart", "cronRestart", "cron"] {
            assert_eq!(field(name).unwrap().field, "cron_restart");
        }
        for name in [
            "maxMemoryRestart",
            "windowsHide",
            "ignoreWatch",
            "v8",
            "pmx",
        ] {
            assert!(field(name).is_some(), "{name}");
        }
        assert_eq!(option("-c").unwrap().field, "cron_restart");
        assert_eq!(option("--no-vizion").unwrap().fate, Fate::Needless);
        assert!(section("deploy").is_some());
        for name in ["", "script", "apps", "Watch "] {
            assert!(field(name).is_none(), "{name}");
        }
    }

    #[test]
    fn nothing_that_is_there_is_refused() {
        let app = serde_json::to_value(crate::AppSpec::default()).unwrap();
        for name in app.as_object().unwrap().keys() {
            assert!(field(name).is_none(), "{name} is a field of an app");
        }
    }

    #[test]
    fn names_occur_once_and_reasons_are_one_line() {
        let mut seen = BTreeSet::new();
        for one in FIELDS.iter().chain(SECTIONS) {
            for name in [one.field].iter().chain(one.aliases).chain(one.options) {
                assert!(seen.insert(*name), "{name} occurs twice");
            }
            assert!(!one.reason.is_empty() && !one.reason.contains('\n'));
            assert!(!one.reason.ends_with('.'), "{}", one.reason);
        }
    }

    #[test]
    fn switching_off_what_is_not_there_is_no_reason_to_refuse() {
        let watch = field("watch").unwrap();
        for off in [
            json!(null),
            json!(false),
            json!(0),
            json!("0"),
            json!(""),
            json!([]),
            json!({}),
        ] {
            assert!(watch.is_switched_off_by(&off), "{off}");
        }
        for on in [
            json!(true),
            json!(1),
            json!("src"),
            json!(["src"]),
            json!("false"),
        ] {
            assert!(!watch.is_switched_off_by(&on), "{on}");
        }
    }
}
