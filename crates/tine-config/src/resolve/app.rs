//! How do a script and options become an app?

use super::interpreter::{self, Interpreter, Runtime, Search};
use super::name::name_of;
use super::script::{self, Script};
use crate::around::Around;
use crate::options::{LogFile, Options, TIME_FORMAT, Words};
use crate::problem::{Found, Problem, Problems};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use tine_control::app::NO_FILE;
use tine_control::{AppSpec, ExecMode};
use tine_rules::Instances;
use tine_sys::spawn::resolve_program;

/// An app, and what the user should know of how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The app, checked. `inherited_env` is empty: the variables of the shell go with the request.
    pub app: AppSpec,
    /// What is not as one might think.
    pub warnings: Vec<Problem>,
}

/// The app that `tine start SCRIPT [options] -- ARGS` asks for. `args` are those after `--`; if there
/// are any, they take the place of `options.args`.
///
/// The script is looked for in the folder (`options.cwd`, else that of the caller), then in the
/// `PATH`. A text with blanks is a command for `bash` (or `sh`), to which `args` are added, unless
/// an interpreter is named. With `instances`, what Node, Bun or Deno run is a cluster; everything
/// else stands alone, unless `exec_mode` says otherwise.
///
/// # Errors
/// Everything that is wrong with the folder, the script, its interpreter and the options.
pub fn start(
    script: &str,
    args: &[String],
    options: &Options,
    around: &Around,
) -> Result<Resolved, Problems> {
    let mut options = options.clone();
    if !args.is_empty() {
        options.args = Some(Words::List(args.to_vec()));
    }
    let mut found = Found::default();
    let asked = Asked {
        script,
        options: &options,
        base: &around.cwd,
        fallback: None,
    };
    let app = app(&asked, around, &mut found);
    let warnings = found.into_warnings()?;
    match app {
        Some(app) => Ok(Resolved { app, warnings }),
        None => Err(Problem::error("there is no app").into()),
    }
}

/// What an app is made of.
pub(crate) struct Asked<'a> {
    pub(crate) script: &'a str,
    pub(crate) options: &'a Options,
    /// The folder where no `cwd` is given, and from which a relative one is taken.
    pub(crate) base: &'a Path,
    /// Another folder to take, where the script (without a `cwd`), or the `cwd`, is not in `base`.
    pub(crate) fallback: Option<&'a Path>,
}

/// The app, unless something of it is wrong: then that is put down.
pub(crate) fn app(asked: &Asked<'_>, around: &Around, found: &mut Found) -> Option<AppSpec> {
    let options = asked.options;
    let errors_before = found.0.len();
    let path = match options.env.as_ref().and_then(|env| env.get("PATH")) {
        Some(own) => Some(OsString::from(own)),
        None => around.path(),
    };
    let mut cwd = found.take(folder(asked, around))?;
    let named = options.interpreter.as_deref();
    let interpreted = named.is_some_and(|named| named != "none");
    let find = |cwd: &Path| script::find(asked.script, interpreted, cwd, path.as_ref(), around);
    let mut script = find(&cwd);
    if let (Err(_), None, Some(other)) = (&script, &options.cwd, asked.fallback)
        && let Ok(there) = find(other)
    {
        other.clone_into(&mut cwd);
        script = Ok(there);
    }
    let args = words(options.args.as_ref(), "args", found);
    let before = words(options.interpreter_args.as_ref(), "interpreter_args", found);
    let search = Search {
        cwd: &cwd,
        path: path.as_ref(),
        around,
    };
    let program = found.take(script.map_err(|problem| problem.field("script")))?;
    let program = found.take(match program {
        Script::Command(text) => shell(&text, &args, search),
        Script::File { path, more } => {
            interpreter::of(&path, named, search).map(|interpreter| Program {
                script: path,
                interpreter,
                args: more.into_iter().chain(args).collect(),
            })
        }
    })?;
    let Program {
        script,
        interpreter,
        args,
    } = program.with_arguments_before(before);
    let name = match &options.name {
        Some(name) => name.clone(),
        None => default_name(asked.script, &script),
    };
    let mut app = AppSpec::new(name, script, cwd);
    app.args = args;
    app.interpreter = interpreter.program;
    app.interpreter_args = interpreter.args;
    fill(&mut app, options, around);
    environment(&mut app, options, around);
    mode(&mut app, options, found);
    check(&app, around, found);
    let clean = found.0[errors_before..]
        .iter()
        .all(|problem| problem.severity == crate::Severity::Warning);
    clean.then_some(app)
}

fn folder(asked: &Asked<'_>, around: &Around) -> Result<PathBuf, Problem> {
    let Some(cwd) = &asked.options.cwd else {
        return Ok(asked.base.to_owned());
    };
    let path = around.absolute(cwd, asked.base);
    if let Some(other) = asked.fallback.map(|other| around.absolute(cwd, other))
        && !path.is_dir()
        && other.is_dir()
    {
        return Ok(other);
    }
    let refuse = |text: String| {
        Err(
            Problem::error(format!("entering {}: {text}", path.display()))
                .hint("name the folder that the app runs in")
                .field("cwd"),
        )
    };
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Ok(path),
        Ok(_) => refuse("it is not a folder".to_owned()),
        Err(error) => refuse(error.to_string()),
    }
}

fn words(words: Option<&Words>, field: &str, found: &mut Found) -> Vec<String> {
    let Some(words) = words else {
        return Vec::new();
    };
    let split = words.split().map_err(|error| {
        Problem::error(format!("it cannot be split into words: {error}"))
            .hint("close the quotes, or write a list of words")
            .field(field)
    });
    found.take(split).unwrap_or_default()
}

struct Program {
    script: PathBuf,
    interpreter: Interpreter,
    args: Vec<String>,
}

impl Program {
    /// With the arguments that were asked for between interpreter and script.
    fn with_arguments_before(mut self, asked: Vec<String>) -> Program {
        let deno = self
            .interpreter
            .program
            .as_deref()
            .is_some_and(|program| Runtime::of(program) == Runtime::Deno);
        let mut args = std::mem::take(&mut self.interpreter.args);
        if deno && args.is_empty() {
            // A server may not even listen without being permitted to.
            match asked.first().map(String::as_str) {
                None => args = vec!["run".to_owned(), "--allow-all".to_owned()],
                Some("run") => {}
                Some(_) => args = vec!["run".to_owned()],
            }
        }
        args.extend(asked);
        self.interpreter.args = args;
        self
    }
}

/// A command is a shell with `-c`, as in PM2.
fn shell(text: &str, args: &[String], search: Search<'_>) -> Result<Program, Problem> {
    let path = search.path.map(OsString::as_os_str);
    let shell = ["/bin/bash", "bash", "/bin/sh", "sh"]
        .iter()
        .find_map(|name| resolve_program(OsStr::new(name), path, search.cwd).ok())
        .ok_or_else(|| {
            Problem::error(format!(
                "the command `{text}` needs a shell, and there is none"
            ))
            .hint("start a program or a script by its path")
            .field("script")
        })?;
    let text = if args.is_empty() {
        text.to_owned()
    } else {
        format!("{text} {}", shell_words::join(args))
    };
    Ok(Program {
        script: shell,
        interpreter: Interpreter {
            program: None,
            args: Vec::new(),
        },
        args: vec!["-c".to_owned(), text],
    })
}

/// `.` is called as the folder is.
fn default_name(written: &str, script: &Path) -> String {
    let name = name_of(written);
    if !matches!(name.as_str(), "" | "." | ".." | "~") {
        return name;
    }
    let folder = script.parent().and_then(Path::file_name);
    folder.map_or(name, |folder| folder.to_string_lossy().into_owned())
}

/// The fields that are only copied, or paths.
pub(crate) fn fill(app: &mut AppSpec, options: &Options, around: &Around) {
    macro_rules! copy {
        ($($field:ident)*) => {
            $(if let Some(value) = &options.$field { app.$field = value.clone(); })*
        };
    }
    macro_rules! copy_optional {
        ($($field:ident)*) => {
            $(if let Some(value) = &options.$field { app.$field = Some(value.clone()); })*
        };
    }
    copy! {
        namespace instances balance log_type disable_logs env filter_env instance_var autostart
        autorestart max_restarts min_uptime restart_delay stop_exit_codes stop_signal kill_timeout
        shutdown_with_message treekill wait_ready listen_timeout
    }
    copy_optional! { merge_logs port increment_var uid gid source_map_support }
    app.exp_backoff_restart_delay = options
        .exp_backoff_restart_delay
        .filter(|delay| !delay.is_zero());
    app.log_date_format = match (&options.log_date_format, options.time) {
        (Some(form), _) => Some(form.clone()).filter(|form| !form.is_empty()),
        (None, Some(true)) => Some(TIME_FORMAT.to_owned()),
        (None, _) => None,
    };
    let file = |text: &Option<String>| text.as_ref().map(|text| file(text, &app.cwd, around));
    app.out_file = file(&options.out_file);
    app.error_file = file(&options.error_file);
    app.pid_file = file(&options.pid_file);
    app.log_file = match &options.log_file {
        None | Some(LogFile::None) => None,
        Some(LogFile::At(text)) => file(&Some(text.clone())),
        Some(LogFile::Default) => Some(default_log(&app.name, around)),
    };
}

/// A file that is written to; PM2 writes `NULL` for none.
fn file(text: &str, base: &Path, around: &Around) -> PathBuf {
    match text {
        "NULL" => PathBuf::from(NO_FILE),
        text => around.absolute(text, base),
    }
}

/// The file for both streams, where none is named.
fn default_log(name: &str, around: &Around) -> PathBuf {
    let logs = around.home.join("logs");
    logs.join(format!("{}.log", name.replace('/', "-")))
}

fn environment(app: &mut AppSpec, options: &Options, around: &Around) {
    let python = app
        .interpreter
        .as_deref()
        .is_some_and(|program| Runtime::of(program) == Runtime::Python);
    if python && !around.env.contains_key("PYTHONUNBUFFERED") {
        let own = app.env.entry("PYTHONUNBUFFERED".to_owned());
        own.or_insert_with(|| "1".to_owned());
    }
    // The shell's PWD would be a lie.
    if options.cwd.is_some()
        && let Some(cwd) = app.cwd.to_str()
    {
        app.env
            .0
            .entry("PWD".to_owned())
            .or_insert_with(|| cwd.to_owned());
    }
}

/// Fork or cluster. As in PM2, except that any number of instances makes a cluster: there, `-i -2`
/// does not.
fn mode(app: &mut AppSpec, options: &Options, found: &mut Found) {
    let runtime = app.interpreter.as_deref().map(Runtime::of);
    app.exec_mode = match (options.exec_mode, options.execute_command) {
        (Some(mode), _) => mode,
        (None, Some(true)) => ExecMode::Fork,
        (None, _) => match (options.instances, runtime) {
            (Some(_), Some(runtime)) if runtime.clusters() => ExecMode::Cluster,
            _ => ExecMode::Fork,
        },
    };
    let one = app.instances.resolve(2) == 1 && matches!(app.instances, Instances::Exactly(_));
    if app.exec_mode == ExecMode::Cluster
        && !one
        && let (Some(Runtime::Python | Runtime::Shell), Some(interpreter)) =
            (runtime, &app.interpreter)
    {
        found.add(
            Problem::warning(format!(
                "`{interpreter}` does not know how to share ports with the other workers"
            ))
            .hint("use exec_mode fork, unless the program speaks the protocol of Node's cluster")
            .field("exec_mode"),
        );
    }
}

/// What the daemon would refuse is refused here.
fn check(app: &AppSpec, around: &Around, found: &mut Found) {
    let mut probe = app.clone();
    // A variable that `increment_var` counts from may be the shell's.
    if let Some(counted) = &app.increment_var {
        let shell = around.env.get_key_value(counted.as_str());
        probe.inherit(shell);
    }
    for problem in probe.check() {
        found.add(
            Problem::error(problem.text)
                .hint(problem.hint)
                .field(problem.field),
        );
    }
}
