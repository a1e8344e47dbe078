//! What is executed for one process of an app?

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tine_cluster::Dialect;
use tine_control::{AppSpec, ExecMode, Problem, Variables};
use tine_sys::spawn::{ResolveError, resolve_program};

/// A program with everything resolved that can be before it exists.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) program: PathBuf,
    /// All of them, the name of the program being the first.
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) folder: PathBuf,
    /// Whether it speaks over a channel.
    pub(super) channel: bool,
    /// Whether it is told that it is a worker of a cluster.
    pub(super) clustered: bool,
    pub(super) dialect: Dialect,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
}

/// What is wrong with the user or the group of an app, if something is.
pub(super) fn check_user(spec: &AppSpec) -> Option<Problem> {
    let error = user(spec).err()?;
    let (field, hint) = match &error {
        CannotStart::Group { .. } => ("gid", "`getent group` lists the groups there are"),
        CannotStart::NotRoot => ("uid", "start the daemon as root, or leave uid and gid out"),
        _ => ("uid", "`getent passwd` lists the users there are"),
    };
    Some(Problem {
        field: field.to_owned(),
        text: error.to_string(),
        hint: hint.to_owned(),
    })
}

/// Why nothing can be executed. Trying again does not help, unless somebody mends it.
#[derive(Debug, thiserror::Error)]
pub(super) enum CannotStart {
    #[error("looking for what runs {}: {error}", script.display())]
    Interpreter {
        script: PathBuf,
        error: ResolveError,
    },
    #[error("starting {}: {error}", script.display())]
    Script { script: PathBuf, error: io::Error },
    #[error("entering {}: {error}", folder.display())]
    Folder { folder: PathBuf, error: io::Error },
    #[error("there is no user called {name:?}")]
    User { name: String },
    #[error("there is no group called {name:?}")]
    Group { name: String },
    #[error("only root can run a program as another user")]
    NotRoot,
}

/// Whether what runs an app speaks Node's protocol, as far as its name tells.
pub(super) fn speaks_node(spec: &AppSpec) -> bool {
    match &spec.interpreter {
        Some(word) => speaks(Path::new(word)),
        // It may be a worker made with a library.
        None => true,
    }
}

/// The runtimes that speak Node's protocol.
pub(super) fn speaks(program: &Path) -> bool {
    match program.file_stem().and_then(OsStr::to_str) {
        Some(name) => name.starts_with("node") || name == "bun" || name == "deno",
        None => false,
    }
}

/// The whole environment of a process, without what its channel adds.
pub(super) fn environment(
    spec: &AppSpec,
    inherited: &Variables,
    id: u32,
    slot: u32,
    home: &Path,
) -> Variables {
    let mut all = inherited.clone();
    all.extend(spec.env.clone());
    if let Some(port) = spec.port {
        all.insert("PORT".to_owned(), port.to_string());
    }
    if let Some(name) = &spec.increment_var {
        let first = all
            .get(name)
            .and_then(|value| value.trim().parse::<i64>().ok());
        if let Some(first) = first {
            all.insert(
                name.clone(),
                first.saturating_add(i64::from(slot)).to_string(),
            );
        }
    }
    all.insert(spec.instance_var.clone(), slot.to_string());
    all.insert("name".to_owned(), spec.name.clone());
    all.insert("pm_id".to_owned(), id.to_string());
    all.insert("TINE_HOME".to_owned(), home.to_string_lossy().into_owned());
    // A user's programs look for their things in that user's home.
    if !spec.env.contains_key("HOME")
        && let Some(user) = spec.uid.as_deref().and_then(known_user)
    {
        let home = user.home.to_string_lossy().into_owned();
        all.insert("HOME".to_owned(), home);
    }
    all.insert("PWD".to_owned(), spec.cwd.to_string_lossy().into_owned());
    all
}

/// Finds everything.
pub(super) fn resolve(spec: &AppSpec, environment: Variables) -> Result<Resolved, CannotStart> {
    let (uid, gid) = user(spec)?;
    let folder = spec.cwd.clone();
    let enter = |error| CannotStart::Folder {
        folder: folder.clone(),
        error,
    };
    let there = std::fs::metadata(&folder).map_err(enter)?;
    if !there.is_dir() {
        return Err(enter(io::ErrorKind::NotADirectory.into()));
    }
    let script = |error| CannotStart::Script {
        script: spec.script.clone(),
        error,
    };
    std::fs::metadata(&spec.script).map_err(script)?;
    let mut arguments = Vec::new();
    let program = match &spec.interpreter {
        None => {
            arguments.push(spec.script.clone().into_os_string());
            spec.script.clone()
        }
        Some(word) => {
            let search = environment
                .get("PATH")
                .map(|path| OsStr::new(path.as_str()));
            let program = resolve_program(OsStr::new(word), search, &folder);
            let program = program.map_err(|error| CannotStart::Interpreter {
                script: spec.script.clone(),
                error,
            })?;
            arguments.push(OsString::from(word));
            arguments.extend(spec.interpreter_args.iter().map(OsString::from));
            if spec.source_map_support == Some(true) && speaks(&program) {
                arguments.push("--enable-source-maps".into());
            }
            arguments.push(spec.script.clone().into_os_string());
            program
        }
    };
    arguments.extend(spec.args.iter().map(OsString::from));
    let clustered = spec.exec_mode == ExecMode::Cluster;
    let channel = clustered || speaks(&program) || spec.wait_ready || spec.shutdown_with_message;
    Ok(Resolved {
        dialect: Dialect::of_program(&program),
        program,
        arguments,
        environment: environment
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        folder,
        channel,
        clustered,
        uid,
        gid,
    })
}

/// The numbers of a user and a group that were named.
pub(super) fn user(spec: &AppSpec) -> Result<(Option<u32>, Option<u32>), CannotStart> {
    if spec.uid.is_none() && spec.gid.is_none() {
        return Ok((None, None));
    }
    let (mut uid, mut gid) = (None, None);
    if let Some(word) = &spec.uid {
        match known_user(word) {
            Some(user) => (uid, gid) = (Some(user.uid), Some(user.gid)),
            None => {
                uid = Some(
                    word.parse()
                        .map_err(|_| CannotStart::User { name: word.clone() })?,
                )
            }
        }
    }
    if let Some(word) = &spec.gid {
        let known = tine_sys::user::group_by_name(word).ok().flatten();
        let number = known.map(|group| group.gid).or_else(|| word.parse().ok());
        gid = Some(number.ok_or_else(|| CannotStart::Group { name: word.clone() })?);
    }
    let own = rustix::process::geteuid().as_raw();
    let same = uid.is_none_or(|uid| uid == own)
        && gid.is_none_or(|gid| gid == rustix::process::getegid().as_raw());
    if own != 0 && !same {
        return Err(CannotStart::NotRoot);
    }
    Ok((uid, gid))
}

/// The user of this name or number.
fn known_user(word: &str) -> Option<tine_sys::user::User> {
    let named = tine_sys::user::by_name(word).ok().flatten();
    named.or_else(|| tine_sys::user::by_id(word.parse().ok()?).ok().flatten())
}

/// The parts of it as the kernel wants them.
pub(super) struct Texts {
    pub(super) program: CString,
    pub(super) arguments: Vec<CString>,
    pub(super) environment: Vec<CString>,
    pub(super) folder: CString,
}

impl Resolved {
    /// Without what a channel would add.
    ///
    /// # Errors
    /// When there is a zero byte in one of them, which [`AppSpec::check`] refuses.
    pub(super) fn texts(&self) -> Result<Texts, std::ffi::NulError> {
        let mut environment = Vec::with_capacity(self.environment.len());
        for (name, value) in &self.environment {
            if name.as_bytes().starts_with(b"NODE_CHANNEL_") || name == "NODE_UNIQUE_ID" {
                continue;
            }
            let entry = [name.as_bytes(), b"=", value.as_bytes()].concat();
            environment.push(CString::new(entry)?);
        }
        let arguments = self.arguments.iter();
        Ok(Texts {
            program: CString::new(self.program.as_os_str().as_bytes())?,
            arguments: arguments
                .map(|argument| CString::new(argument.as_bytes()))
                .collect::<Result<_, _>>()?,
            environment,
            folder: CString::new(self.folder.as_os_str().as_bytes())?,
        })
    }
}
