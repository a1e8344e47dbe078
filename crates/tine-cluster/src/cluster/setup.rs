//! What are workers started as?

use super::inspect::{self, InspectPort};
use super::stdio::Stdio;
use super::upgrade::VARIABLE;
use super::{Cluster, Events};
use crate::primary::{CHANNEL, Launch, Policy, Seat, Settings};
use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tine_ipc::{Dialect, Serialization};

/// The runtime of scripts that name none.
const NODE: &str = "node";
/// What scripts of it are called.
const SCRIPTS: [&str; 6] = ["js", "mjs", "cjs", "ts", "mts", "cts"];

/// Everything that can be said of a cluster and of the workers it will fork: Node's
/// `cluster.settings`, built with methods named after them.
///
/// What is not said is as in Node: workers run this same program with the same arguments, in the
/// same folder, with the same environment and standard streams.
///
/// ```no_run
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// use tine_cluster::{Cluster, Policy};
///
/// let (cluster, events) = Cluster::builder()
///     .exec("server.js")
///     .args(["--port", "3000"])
///     .policy(Policy::RoundRobin)
///     .start()?;
/// # drop((cluster, events));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Setup {
    exec: Option<PathBuf>,
    exec_path: Option<PathBuf>,
    exec_argv: Vec<OsString>,
    args: Option<Vec<OsString>>,
    cwd: Option<PathBuf>,
    clear_environment: bool,
    /// Set, or removed.
    environment: Vec<(OsString, Option<Unshown>)>,
    stdio: BTreeMap<i32, Stdio>,
    channel: i32,
    uid: Option<u32>,
    gid: Option<u32>,
    serialization: Serialization,
    inspect_port: Option<InspectPort>,
    own_group: bool,
    policy: Option<Policy>,
    hold_listeners: bool,
    message_limit: usize,
    offered: BTreeMap<i32, Arc<OwnedFd>>,
}

/// The value of a variable. It may be a secret, and settings are shown in logs.
#[derive(Clone)]
struct Unshown(OsString);

impl fmt::Debug for Unshown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl Default for Setup {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            exec: None,
            exec_path: None,
            exec_argv: Vec::new(),
            args: None,
            cwd: None,
            clear_environment: false,
            environment: Vec::new(),
            stdio: BTreeMap::new(),
            channel: CHANNEL,
            uid: None,
            gid: None,
            serialization: Serialization::Json,
            inspect_port: None,
            own_group: false,
            policy: None,
            hold_listeners: settings.hold_listeners,
            message_limit: settings.message_limit,
            offered: BTreeMap::new(),
        }
    }
}

/// For workers to come.
impl Setup {
    /// The script or program that workers run. A script (`.js`, `.mjs`, `.cjs`, `.ts`, `.mts`,
    /// `.cts`) is run by `node` from the `PATH` unless [`exec_path`](Self::exec_path) says
    /// otherwise; a program without a slash is searched in the `PATH`. Default: this program.
    pub fn exec(&mut self, exec: impl Into<PathBuf>) -> &mut Self {
        self.exec = Some(exec.into());
        self
    }

    /// The runtime that runs [`exec`](Self::exec) as its script, for example
    /// `/opt/node22/bin/node`, `bun` or `deno`. Default: `node` for scripts, none for programs.
    pub fn exec_path(&mut self, runtime: impl Into<PathBuf>) -> &mut Self {
        self.exec_path = Some(runtime.into());
        self
    }

    /// Flags of the runtime, before the script. Ignored where there is no runtime.
    pub fn exec_argv<I: IntoIterator<Item: Into<OsString>>>(&mut self, flags: I) -> &mut Self {
        self.exec_argv = flags.into_iter().map(Into::into).collect();
        self
    }

    /// The arguments of workers. Default: those of this program.
    pub fn args<I: IntoIterator<Item: Into<OsString>>>(&mut self, args: I) -> &mut Self {
        self.args = Some(args.into_iter().map(Into::into).collect());
        self
    }

    /// The working folder of workers. Default: the primary's.
    pub fn cwd(&mut self, folder: impl Into<PathBuf>) -> &mut Self {
        self.cwd = Some(folder.into());
        self
    }

    /// Sets a variable in the environment of workers, which is else the primary's.
    pub fn env(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> &mut Self {
        let value = Unshown(value.into());
        self.environment.push((name.into(), Some(value)));
        self
    }

    /// Keeps a variable of the primary from workers.
    pub fn env_remove(&mut self, name: impl Into<OsString>) -> &mut Self {
        self.environment.push((name.into(), None));
        self
    }

    /// Keeps the whole environment of the primary from workers, and forgets what was
    /// [set](Self::env) before.
    pub fn env_clear(&mut self) -> &mut Self {
        self.clear_environment = true;
        self.environment.clear();
        self
    }

    /// What a descriptor of workers is. Default: 0, 1 and 2 are the primary's, no others.
    pub fn stdio(&mut self, number: i32, stdio: impl Into<Stdio>) -> &mut Self {
        self.stdio.insert(number, stdio.into());
        self
    }

    /// Whether the standard streams of workers are pipes that their
    /// [`WorkerProcess`](super::WorkerProcess) gives, and not the primary's own streams.
    pub fn silent(&mut self, silent: bool) -> &mut Self {
        let stdio = if silent { Stdio::Piped } else { Stdio::Inherit };
        for number in 0..3 {
            self.stdio.insert(number, stdio.clone());
        }
        self
    }

    /// The descriptor that workers find their channel on. Default 3.
    pub fn channel_descriptor(&mut self, number: i32) -> &mut Self {
        self.channel = number;
        self
    }

    /// The user that workers run as. The primary needs the privilege to change it; supplementary
    /// groups are given up.
    pub fn uid(&mut self, uid: u32) -> &mut Self {
        self.uid = Some(uid);
        self
    }

    /// The group that workers run as.
    pub fn gid(&mut self, gid: u32) -> &mut Self {
        self.gid = Some(gid);
        self
    }

    /// How messages are written. Default: JSON. Bun's `advanced` is a format of its own and
    /// cannot be had.
    pub fn serialization(&mut self, serialization: Serialization) -> &mut Self {
        self.serialization = serialization;
        self
    }

    /// The inspector's port of Node workers, used when the runtime's flags or `NODE_OPTIONS`
    /// inspect at all. Default: each worker the next one after the port they name, or after 9229;
    /// any free one where they name port 0.
    pub fn inspect_port(&mut self, port: InspectPort) -> &mut Self {
        self.inspect_port = Some(port);
        self
    }

    /// Whether each worker leads a process group of its own, so that Ctrl-C in a terminal reaches
    /// the primary alone. Default, as in Node: no.
    pub fn own_group(&mut self, own: bool) -> &mut Self {
        self.own_group = own;
        self
    }
}

/// What was said, named as in [`std::process::Command`].
impl Setup {
    /// What [`exec`](Self::exec) was given; `None` for this program.
    #[must_use]
    pub fn get_exec(&self) -> Option<&Path> {
        self.exec.as_deref()
    }

    /// What [`exec_path`](Self::exec_path) was given.
    #[must_use]
    pub fn get_exec_path(&self) -> Option<&Path> {
        self.exec_path.as_deref()
    }

    /// What [`exec_argv`](Self::exec_argv) was given.
    #[must_use]
    pub fn get_exec_argv(&self) -> &[OsString] {
        &self.exec_argv
    }

    /// What [`args`](Self::args) was given; `None` for the arguments of this program.
    #[must_use]
    pub fn get_args(&self) -> Option<&[OsString]> {
        self.args.as_deref()
    }

    /// What [`cwd`](Self::cwd) was given; `None` for the primary's folder.
    #[must_use]
    pub fn get_cwd(&self) -> Option<&Path> {
        self.cwd.as_deref()
    }

    /// What [`stdio`](Self::stdio) or [`silent`](Self::silent) said of a descriptor.
    #[must_use]
    pub fn get_stdio(&self, number: i32) -> Option<&Stdio> {
        self.stdio.get(&number)
    }

    /// How messages are written.
    #[must_use]
    pub fn get_serialization(&self) -> Serialization {
        self.serialization
    }
}

/// For the whole cluster; without effect once it has [started](Self::start).
impl Setup {
    /// How connections are shared. Default: what `NODE_CLUSTER_SCHED_POLICY` says (`rr` or
    /// `none`), else [`Policy::RoundRobin`].
    pub fn policy(&mut self, policy: Policy) -> &mut Self {
        self.policy = Some(policy);
        self
    }

    /// Whether listening sockets stay open when their last worker has gone: what arrives waits for
    /// the next one, until
    /// [`close_unused_listeners`](Cluster::close_unused_listeners). Default, as in Node: no.
    pub fn hold_listeners(&mut self, hold: bool) -> &mut Self {
        self.hold_listeners = hold;
        self
    }

    /// The longest message that a worker may send, in bytes. Default: 256 MiB.
    pub fn message_limit(&mut self, bytes: usize) -> &mut Self {
        self.message_limit = bytes;
        self
    }

    /// A bound or listening socket that workers may name in `listen({fd})` and `bind({fd})`, under
    /// this number. In Node that is a number among the primary's own descriptors; here only what
    /// is offered can be had. What a service manager has passed on keeps its number this way.
    pub fn offer_descriptor(&mut self, number: i32, socket: impl Into<OwnedFd>) -> &mut Self {
        self.offered.insert(number, Arc::new(socket.into()));
        self
    }

    /// Starts a cluster without workers. Its events can be dropped by who has no use for them.
    ///
    /// # Errors
    /// When the kernel has no descriptor for it.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO and time enabled.
    pub fn start(&self) -> io::Result<(Cluster, Events)> {
        Cluster::start(self.clone())
    }

    pub(super) fn settings(&self) -> Settings {
        let by_environment = || Policy::of_node(&env::var("NODE_CLUSTER_SCHED_POLICY").ok()?);
        Settings {
            policy: self.policy.or_else(by_environment).unwrap_or_default(),
            hold_listeners: self.hold_listeners,
            wait_our_turn: false,
            message_limit: self.message_limit,
        }
    }

    /// The sockets that workers may name, each a descriptor of its own.
    pub(super) fn offered(&self) -> io::Result<BTreeMap<i32, OwnedFd>> {
        let offered = self.offered.iter();
        offered
            .map(|(number, fd)| Ok((*number, fd.try_clone()?)))
            .collect()
    }

    pub(super) fn streams(&self) -> &BTreeMap<i32, Stdio> {
        &self.stdio
    }

    /// The next worker's process, without its streams.
    pub(super) fn launch(&self, seat: Seat, inspected: &mut u32) -> io::Result<Launch> {
        let environment = self.whole_environment();
        let variable = |wanted: &str| {
            let found = environment.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_os_str())
        };
        let this = env::current_exe;
        let mut arguments: Vec<OsString> = Vec::new();
        let program = match (self.runtime(), &self.exec) {
            (Some(runtime), exec) => {
                let options = variable("NODE_OPTIONS").and_then(OsStr::to_str);
                arguments.push(runtime.clone().into());
                arguments.extend(self.exec_argv.iter().cloned());
                let wanted = self.inspect_port.as_ref();
                arguments.extend(inspect::flag(&self.exec_argv, options, wanted, inspected));
                arguments.push(exec.clone().map_or_else(this, Ok)?.into());
                runtime
            }
            (None, exec) => {
                let program = exec.clone().map_or_else(this, Ok)?;
                arguments.push(program.clone().into());
                program
            }
        };
        match &self.args {
            Some(args) => arguments.extend(args.iter().cloned()),
            None => arguments.extend(env::args_os().skip(1)),
        }
        let dialect = Dialect::of_program(&program);
        let here = env::current_dir()?;
        let program =
            tine_sys::spawn::resolve_program(program.as_os_str(), variable("PATH"), &here)
                .map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))?;
        Ok(Launch {
            arguments,
            environment,
            folder: self.cwd.clone(),
            channel_number: self.channel,
            serialization: self.serialization,
            uid: self.uid,
            gid: self.gid,
            own_group: self.own_group,
            seat,
            dialect,
            ..Launch::new(program)
        })
    }

    fn runtime(&self) -> Option<PathBuf> {
        let is_script = |exec: &Path| {
            let kind = exec.extension().and_then(OsStr::to_str);
            kind.is_some_and(|kind| SCRIPTS.contains(&kind))
        };
        match (&self.exec_path, &self.exec) {
            (Some(runtime), _) => Some(runtime.clone()),
            (None, Some(exec)) if is_script(exec) => Some(NODE.into()),
            _ => None,
        }
    }

    fn whole_environment(&self) -> Vec<(OsString, OsString)> {
        let mut all: BTreeMap<OsString, OsString> = BTreeMap::new();
        if !self.clear_environment {
            all.extend(env::vars_os());
        }
        for (name, value) in &self.environment {
            match value {
                Some(Unshown(value)) => all.insert(name.clone(), value.clone()),
                None => all.remove(name),
            };
        }
        // It speaks of this process.
        all.remove(OsStr::new(VARIABLE));
        all.into_iter().collect()
    }
}
