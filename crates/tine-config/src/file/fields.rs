//! Which fields does an app have in a process file, and under which names?

use super::draft::Draft;
use super::node::Node;
use super::shape::{
    Balancing, BothLog, Codes, Count, Filter, Flag, Identity, InstanceCount, LineKind, Mode,
    Object, Port, Shape, Text, Time, WordList, camel_case,
};

/// A field of an app.
pub(crate) struct Field {
    /// Its name, in snake case: that of [`tine_control::AppSpec`] if it has the field.
    pub(crate) name: &'static str,
    /// Its other names, in snake case.
    pub(crate) aliases: &'static [&'static str],
    /// What it means, where it is not a field of an app in its final form.
    pub(crate) about: Option<&'static str>,
    /// For an error: what would be right.
    pub(super) expected: &'static str,
    /// For an editor.
    pub(crate) schema: fn() -> serde_json::Value,
    /// Takes the value; false if it is no such value.
    pub(super) set: fn(&mut Draft, &Node) -> bool,
}

impl Field {
    /// All names under which it is known, its own first.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for name in std::iter::once(&self.name).chain(self.aliases) {
            names.push((*name).to_owned());
            let camel = camel_case(name);
            if camel != *name {
                names.push(camel);
            }
        }
        names
    }

    fn is_called(&self, key: &str) -> bool {
        let all = std::iter::once(&self.name).chain(self.aliases);
        all.copied()
            .any(|name| name == key || camel_case(name) == key)
    }
}

/// The field with this name, in either case or an alias.
pub(super) fn find(fields: &'static [Field], key: &str) -> Option<&'static Field> {
    fields.iter().find(|field| field.is_called(key))
}

macro_rules! fields {
    ($(
        $name:ident [$($alias:ident)*] $shape:ident => $($target:ident).+ $(, $about:literal)?;
    )*) => {
        &[$(Field {
            name: stringify!($name),
            aliases: &[$(stringify!($alias)),*],
            about: fields!(@about $($about)?),
            expected: <$shape as Shape>::EXPECTED,
            schema: <$shape as Shape>::schema,
            set: |draft, node| match <$shape as Shape>::read(node) {
                Some(value) => {
                    draft.$($target).+ = Some(value);
                    true
                }
                None => false,
            },
        }),*]
    };
    (@about) => { None };
    (@about $about:literal) => { Some($about) };
}

/// The fields of an app. `env` and `env_NAME` are read apart (see `variables.rs`).
pub(crate) const FIELDS: &[Field] = fields! {
    name [] Text => options.name,
        "What it is called; each app has another name. Not given: the script without its folder and ending.";
    namespace [] Text => options.namespace;
    script [exec cmd command] Text => script,
        "What is started: a script, a program, or a command with its arguments, which goes to a shell.";
    args [] WordList => options.args,
        "The arguments after the script: a list, or a text that is split as by a shell.";
    interpreter [exec_interpreter] Text => options.interpreter,
        "What runs the script: a name, a path, `node@20` of nvm, or `none` to execute it itself. Not given: what its ending or its first line says.";
    interpreter_args [node_args] WordList => options.interpreter_args,
        "The arguments between the interpreter and the script: a list, or a text that is split as by a shell.";
    cwd [] Text => options.cwd,
        "The folder it runs in, from which its other paths are taken too.";

    filter_env [] Filter => options.filter_env;
    port [] Port => options.port;
    instance_var [] Text => options.instance_var;
    increment_var [] Text => options.increment_var;
    append_env_to_name [] Flag => append_env_to_name,
        "Whether the name of the environment that `--env` chooses is added to the name.";
    io [] Object => io, "Becomes the environment variable `io`, as JSON.";

    instances [] InstanceCount => options.instances;
    exec_mode [] Mode => options.exec_mode,
        "`cluster`: the processes share their ports; `fork`: each stands alone. Not given: `cluster` if `instances` is given and Node, Bun or Deno runs it.";
    execute_command [] Flag => options.execute_command,
        "Whether it runs in fork mode whatever `instances` says.";
    balance [] Balancing => options.balance;
    force [] Flag => force,
        "Whether it is started beside an app of the same name that is there already.";

    autostart [] Flag => options.autostart;
    autorestart [] Flag => options.autorestart;
    max_restarts [] Count => options.max_restarts;
    min_uptime [] Time => options.min_uptime;
    restart_delay [] Time => options.restart_delay;
    exp_backoff_restart_delay [] Time => options.exp_backoff_restart_delay;
    stop_exit_codes [] Codes => options.stop_exit_codes;

    stop_signal [] Text => options.stop_signal;
    kill_timeout [] Time => options.kill_timeout;
    shutdown_with_message [] Flag => options.shutdown_with_message;
    treekill [] Flag => options.treekill;
    wait_ready [] Flag => options.wait_ready;
    listen_timeout [] Time => options.listen_timeout;

    out_file [out output out_log] Text => options.out_file,
        "The file for standard output; `/dev/null`: no file. Not given: `NAME-out.log` in the folder of logs.";
    error_file [error err err_file err_log] Text => options.error_file,
        "The file for standard error; `/dev/null`: no file. Not given: `NAME-error.log` in the folder of logs.";
    log_file [log] BothLog => options.log_file,
        "A file for both, besides the two; true: `NAME.log` in the folder of logs.";
    pid_file [pid] Text => options.pid_file,
        "The file with the number of the process. Not given: `NAME-ID.pid` in the folder of pid files.";
    merge_logs [combine_logs] Flag => options.merge_logs;
    log_type [] LineKind => options.log_type;
    log_date_format [] Text => options.log_date_format;
    time [] Flag => options.time,
        "Whether each line has a date before it, as `YYYY-MM-DDTHH:mm:ss`.";
    disable_logs [] Flag => options.disable_logs;

    uid [user] Identity => options.uid;
    gid [] Identity => options.gid;
    source_map_support [] Flag => options.source_map_support;
    disable_source_map_support [] Flag => disable_source_map_support,
        "The contrary of `source_map_support`.";
};

/// The fields of an entry of `static`: a folder that is served as a web site.
pub(crate) const STATIC_FIELDS: &[Field] = fields! {
    name [] Text => options.name, "What the app is called.";
    namespace [] Text => options.namespace, "The group it belongs to.";
    path [directory] Text => serve.path, "The folder that is served; the current one if not given.";
    port [] Port => serve.port, "The port; 8080 if not given.";
    host [] Text => serve.host, "The address; all of them if not given.";
    spa [] Flag => serve.spa, "Whether what is not there is answered with index.html.";
    ftp [] Flag => serve.listing, "Whether folders without an index.html are listed.";
    instances [] InstanceCount => options.instances, "How many processes.";
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;
    use std::collections::BTreeSet;
    use tine_control::AppSpec;

    #[test]
    fn every_field_of_an_app_can_be_written() {
        let app = serde_json::to_value(AppSpec::default()).unwrap();
        for name in app.as_object().unwrap().keys() {
            let elsewhere = ["env", "inherited_env", "defined_in"].contains(&name.as_str());
            assert_eq!(find(FIELDS, name).is_some(), !elsewhere, "{name}");
        }
    }

    #[test]
    fn what_is_no_field_of_an_app_says_what_it_is() {
        let app = serde_json::to_value(AppSpec::default()).unwrap();
        for field in FIELDS {
            let known = app.get(field.name).is_some();
            assert!(known || field.about.is_some(), "{}", field.name);
        }
        assert!(STATIC_FIELDS.iter().all(|field| field.about.is_some()));
    }

    #[test]
    fn no_name_means_two_things() {
        for fields in [FIELDS, STATIC_FIELDS] {
            let mut seen = BTreeSet::new();
            for name in fields.iter().flat_map(Field::names) {
                assert!(tine_control::refused::field(&name).is_none(), "{name}");
                assert!(seen.insert(name.clone()), "{name} occurs twice");
            }
        }
    }
}
