//! How do the apps of a process file become apps in their final form?

use super::decode::decode;
use super::draft::{Draft, SERVE_AUTH, SERVE_PASSWORD, SERVE_USER, Serve};
use super::find::Language;
use super::read::{Document, Source, read};
use super::sections;
use super::variables::Variables;
use crate::around::Around;
use crate::options::{Options, Words};
use crate::problem::{Found, Problem, Problems};
use crate::resolve::{Asked, app, name_of, nearest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tine_control::{AppSpec, ExecMode};

/// What is wanted of a process file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOptions {
    /// `--env NAME`: the variables of `env_NAME` win over those of `env`.
    pub env: Option<String>,
    /// `--only NAMES`: just these apps; empty: all. Nothing is said of the others.
    pub only: Vec<String>,
    /// Options of the command line. They win over the file, except `namespace`, which is only for
    /// apps that name none, as in PM2.
    pub options: Options,
    /// How long the evaluation of a file in JavaScript may take. Default: 10 seconds.
    pub time: Duration,
}

impl Default for LoadOptions {
    fn default() -> Self {
        LoadOptions {
            env: None,
            only: Vec::new(),
            options: Options::default(),
            time: Duration::from_secs(10),
        }
    }
}

/// What a process file asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The apps in their final form, in the order of the file; each name once. Their
    /// `inherited_env` is empty.
    pub apps: Vec<AppSpec>,
    /// The names of those with `force: true`: they are started beside one of the same name.
    pub forced: Vec<String>,
    /// The absolute path of the file, unless it came from standard input.
    pub file: Option<PathBuf>,
    /// What can be lived with.
    pub warnings: Vec<Problem>,
}

/// Reads a process file and makes apps of what it says.
///
/// Relative paths in a file of TOML are taken from the folder of the file. In the languages of PM2
/// they are taken from the caller's folder, as in PM2, and if the script (or `cwd`) is not there, from
/// that of the file.
///
/// # Errors
/// Everything that is wrong with the file, with what it says, and with what that needs; not just
/// the first.
pub fn load(source: &Source, wanted: &LoadOptions, around: &Around) -> Result<Loaded, Problems> {
    let document = read(source, wanted.time, around)?;
    let mut found = Found::default();
    let chosen = chosen(&document, wanted, &mut found);
    let mut apps = Vec::new();
    let mut forced = Vec::new();
    if wanted.options.name.is_some() && chosen.drafts.len() > 1 {
        found.add(
            Problem::error(format!(
                "one name cannot be given to {} apps",
                chosen.drafts.len()
            ))
            .hint("choose one of them with --only, or name them in the file"),
        );
    }
    for draft in &chosen.drafts {
        let mut own = Found::default();
        let app = finish(draft, &chosen, &document, wanted, around, &mut own);
        for problem in own.0 {
            found.add(in_file(problem, draft, &document));
        }
        let Some(app) = app else { continue };
        if draft.force == Some(true) {
            forced.push(app.name.clone());
        }
        apps.push(app);
    }
    let names = chosen.drafts.iter().map(|draft| name(draft, wanted));
    twice(names, &chosen.drafts, &document, &mut found);
    for problem in &mut found.0 {
        problem.file.get_or_insert_with(|| document.shown.clone());
    }
    Ok(Loaded {
        warnings: found.into_warnings()?,
        apps,
        forced,
        file: document.path,
    })
}

/// The names of the apps of a process file, whether or not they could be started: for commands
/// about apps that are there already.
///
/// # Errors
/// The file cannot be read, has no apps, or has none that `only` names.
pub fn load_names(
    source: &Source,
    wanted: &LoadOptions,
    around: &Around,
) -> Result<Vec<String>, Problems> {
    let document = read(source, wanted.time, around)?;
    let mut found = Found::default();
    let sections = sections::read(&document, None, &mut found);
    let drafts = sections.apps.iter();
    // What is wrong with a field does not matter here.
    let drafts = drafts.map(|written| decode(written, &document, &mut Found::default()));
    let drafts = only(drafts.collect(), wanted, &mut found);
    for problem in &mut found.0 {
        problem.file.get_or_insert_with(|| document.shown.clone());
    }
    found.into_warnings()?;
    Ok(drafts.iter().map(|draft| name(draft, wanted)).collect())
}

struct Chosen {
    drafts: Vec<Draft>,
    deploy_env: Variables,
}

/// The apps that are wanted, with what is wrong about just them.
fn chosen(document: &Document, wanted: &LoadOptions, found: &mut Found) -> Chosen {
    let env = wanted.env.as_deref();
    let sections = sections::read(document, env, found);
    let mut drafts = Vec::new();
    let mut problems = BTreeMap::new();
    for (index, written) in sections.apps.iter().enumerate() {
        let mut own = Found::default();
        let mut draft = decode(written, document, &mut own);
        // The problems follow the app; its number finds them again.
        draft.place = draft.place.or(written.place);
        problems.insert(index, own);
        drafts.push((index, draft));
    }
    let all: Vec<Draft> = drafts.into_iter().map(|(_, draft)| draft).collect();
    let is_empty = all.is_empty();
    let kept: Vec<bool> = all.iter().map(|draft| is_wanted(draft, wanted)).collect();
    for (index, own) in problems {
        if kept.get(index) == Some(&true) {
            found.0.extend(own.0);
        }
    }
    let drafts = only(all, wanted, found);
    if is_empty && !found.has_errors() {
        found.add(Problem::warning("there are no apps in it").hint("add some to `apps`"));
    }
    let deploy_env = sections
        .deploy_env
        .map(|node| Variables::read("deploy", node));
    let has_deploy_env = deploy_env.is_some();
    let deploy_env = match deploy_env {
        None => Variables::default(),
        Some(Ok(variables)) => variables,
        Some(Err(problems)) => {
            found.0.extend(problems);
            Variables::default()
        }
    };
    if let Some(env) = env
        && !drafts.is_empty()
        && !has_deploy_env
        && !drafts.iter().any(|draft| draft.env_of.contains_key(env))
    {
        let known = drafts.iter().flat_map(|draft| draft.env_of.keys());
        let near = nearest(env, known.map(String::as_str));
        let problem = Problem::warning(format!("no app has an `env_{env}`"));
        found.add(match near {
            Some(near) => problem.hint(format!("there is an `env_{near}`")),
            None => problem.hint(format!("add `env_{env}`, or leave out --env")),
        });
    }
    Chosen { drafts, deploy_env }
}

fn is_wanted(draft: &Draft, wanted: &LoadOptions) -> bool {
    let name = name(draft, wanted);
    wanted.only.is_empty()
        || wanted
            .only
            .iter()
            .any(|only| *only == name || *only == draft.label)
}

/// Those that `--only` names; a name that nobody has is an error.
fn only(drafts: Vec<Draft>, wanted: &LoadOptions, found: &mut Found) -> Vec<Draft> {
    let names: Vec<String> = drafts.iter().map(|draft| name(draft, wanted)).collect();
    for only in &wanted.only {
        let mut known = names.iter().chain(drafts.iter().map(|draft| &draft.label));
        if known.any(|name| name == only) {
            continue;
        }
        let problem = Problem::error(format!("there is no app {only:?} in it"));
        found.add(match nearest(only, names.iter().map(String::as_str)) {
            Some(near) => problem.hint(format!("there is an app {near:?}")),
            None => problem.hint(format!("its apps are: {}", names.join(", "))),
        });
    }
    let mut drafts = drafts;
    drafts.retain(|draft| is_wanted(draft, wanted));
    drafts
}

/// What the app is called in the end.
fn name(draft: &Draft, wanted: &LoadOptions) -> String {
    let name = wanted
        .options
        .name
        .clone()
        .or_else(|| draft.options.name.clone());
    let name = name.unwrap_or_else(|| match &draft.script {
        _ if draft.is_server => format!("static-page-server-{}", draft.serve.port()),
        Some(script) => name_of(script),
        None => draft.label.clone(),
    });
    match (&wanted.env, draft.append_env_to_name) {
        (Some(env), Some(true)) => format!("{name}-{env}"),
        _ => name,
    }
}

/// A problem of the final form, told in the words of the file.
fn in_file(problem: Problem, draft: &Draft, document: &Document) -> Problem {
    let field = problem.field.clone().unwrap_or_default().into_string();
    let end = field.find(['.', '[']).unwrap_or(field.len());
    let (base, rest) = field.split_at(end);
    let mut problem = match draft.written.get(base) {
        Some((key, place)) => problem.field(format!("{key}{rest}")).at(*place),
        None => problem.at(draft.place),
    };
    problem.hint = problem.hint.map(|hint| {
        hint.replace("with --interpreter", "with `interpreter`")
            .into()
    });
    Problem {
        file: Some(document.shown.clone()),
        ..problem.app(&draft.label)
    }
}

fn finish(
    draft: &Draft,
    chosen: &Chosen,
    document: &Document,
    wanted: &LoadOptions,
    around: &Around,
    found: &mut Found,
) -> Option<AppSpec> {
    let mut env = BTreeMap::new();
    if let Some(io) = &draft.io {
        env.insert("io".to_owned(), io.clone());
    }
    chosen.deploy_env.over(&mut env);
    draft.env.over(&mut env);
    if let Some(of) = wanted.env.as_ref().and_then(|env| draft.env_of.get(env)) {
        of.over(&mut env);
    }
    let beside = document.path.as_deref().and_then(Path::parent);
    let (base, fallback) = match (document.language, beside) {
        (Language::Toml, Some(beside)) => (beside, None),
        (_, beside) => (around.cwd.as_path(), beside),
    };
    let mut options = merged(draft, wanted, around);
    options.name = Some(name(draft, wanted));
    let script = match serve(draft, &env, base, fallback, around) {
        Some(Err(problem)) => {
            found.add(problem);
            return None;
        }
        Some(Ok(serve)) => {
            if serve.user.is_some() || serve.password.is_some() {
                env.insert(SERVE_AUTH.to_owned(), "true".to_owned());
            }
            for (name, value) in [(SERVE_USER, &serve.user), (SERVE_PASSWORD, &serve.password)] {
                if let Some(value) = value {
                    env.insert(name.to_owned(), value.clone());
                }
            }
            options.args = Some(Words::List(serve.args()));
            options.interpreter = Some("none".to_owned());
            options.exec_mode = options.exec_mode.or(Some(ExecMode::Cluster));
            around.tine.to_string_lossy().into_owned()
        }
        None => match &draft.script {
            Some(script) => script.clone(),
            None => {
                if !draft.written.contains_key("script") {
                    found.add(
                        Problem::error("it has no `script`")
                            .hint("say what is to be started: script: \"app.js\""),
                    );
                }
                return None;
            }
        },
    };
    if !env.is_empty() {
        options.env = Some(env.into());
    }
    let asked = Asked {
        script: &script,
        options: &options,
        base,
        fallback,
    };
    let mut app = app(&asked, around, found)?;
    app.defined_in.clone_from(&document.path);
    Some(app)
}

/// The options of the command line over those of the file.
fn merged(draft: &Draft, wanted: &LoadOptions, around: &Around) -> Options {
    let mut line = wanted.options.clone();
    let mut file = draft.options.clone();
    // What is typed is meant from where it is typed.
    line.cwd = line.cwd.map(|cwd| {
        let path = around.absolute(&cwd, &around.cwd);
        path.to_string_lossy().into_owned()
    });
    file.namespace = file.namespace.or(line.namespace.take());
    if line.execute_command == Some(true) && line.exec_mode.is_none() {
        line.exec_mode = Some(ExecMode::Fork);
    }
    if let (Some(disabled), None) = (draft.disable_source_map_support, file.source_map_support) {
        file.source_map_support = Some(!disabled);
    }
    line.or(file)
}

/// What a server of files serves; nothing if it is none. A script called `serve` is one, as in
/// PM2, unless there is such a file.
fn serve(
    draft: &Draft,
    env: &BTreeMap<String, String>,
    base: &Path,
    fallback: Option<&Path>,
    around: &Around,
) -> Option<Result<Serve, Problem>> {
    let by_name = draft.script.as_deref() == Some("serve")
        && !draft.is_server
        && ![Some(base), fallback]
            .iter()
            .flatten()
            .any(|folder| folder.join("serve").exists());
    if !draft.is_server && !by_name {
        return None;
    }
    let mut serve = if by_name {
        Serve::from_variables(env)
    } else {
        draft.serve.clone()
    };
    let base = match &draft.options.cwd {
        Some(cwd) => around.absolute(cwd, base),
        None => base.to_owned(),
    };
    let path = serve.path.as_deref().unwrap_or(".");
    let folders = [Some(base.as_path()), fallback];
    let mut folders = folders
        .iter()
        .flatten()
        .map(|base| around.absolute(path, base));
    let found = folders.find(|folder| folder.is_dir());
    let Some(folder) = found else {
        return Some(Err(Problem::error(format!("{path} is not a folder"))
            .hint("name the folder that is to be served")
            .field("path")));
    };
    serve.path = Some(folder.to_string_lossy().into_owned());
    Some(Ok(serve))
}

/// Two apps of one name could not be told apart by any command.
fn twice(
    names: impl Iterator<Item = String>,
    drafts: &[Draft],
    document: &Document,
    found: &mut Found,
) {
    let mut seen = std::collections::BTreeSet::new();
    for (name, draft) in names.zip(drafts) {
        if !seen.insert(name.clone()) {
            found.add(Problem {
                file: Some(document.shown.clone()),
                ..Problem::error(format!("there are two apps called {name:?} in it"))
                    .hint("give each app a `name` of its own")
                    .at(draft.place)
            });
        }
    }
}
