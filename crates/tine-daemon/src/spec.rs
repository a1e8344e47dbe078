//! What was asked?

use std::ffi::OsString;
use std::path::PathBuf;
use tine_cluster::Policy;
use tine_rules::AppRules;

/// One app, with everything resolved that the user may leave open.
#[derive(Debug, Clone)]
pub struct AppSpec {
    /// What it is called.
    pub name: String,
    /// The executable, as a path that needs no search.
    pub program: PathBuf,
    /// All arguments, the first being the name of the program.
    pub arguments: Vec<OsString>,
    /// The environment; each worker's `NODE_APP_INSTANCE` and `name` are added.
    pub environment: Vec<(OsString, OsString)>,
    /// The working folder.
    pub folder: PathBuf,
    /// Whether the processes are cluster workers that share their ports.
    pub clustered: bool,
    /// Whether the processes have a channel to talk to us; cluster workers always have.
    pub channel: bool,
    /// How their connections are shared.
    pub balance: Balance,
    /// The runtime, when it is special on the wire.
    pub dialect: tine_cluster::Dialect,
    /// How many processes, when they are replaced and how they are stopped.
    pub rules: AppRules,
}

/// How connections are to be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// The best that this machine permits.
    #[default]
    Auto,
    /// Just so.
    Fixed(Policy),
}

impl Balance {
    /// The policy for a machine on which eBPF may be loaded, or not.
    ///
    /// `auto` is [`Policy::Kernel`] where the kernel gives connections in exact turns: then
    /// nothing of Node's promise (even shares) is lost, and each new connection costs the workers
    /// and the primary less than half of what passing it on costs. Where the kernel can only
    /// choose at random, even shares are worth more, and it is [`Policy::RoundRobin`].
    #[must_use]
    pub fn resolve(self, exact_turns_in_kernel: impl FnOnce() -> bool) -> Policy {
        match self {
            Self::Fixed(policy) => policy,
            Self::Auto if exact_turns_in_kernel() => Policy::Kernel,
            Self::Auto => Policy::RoundRobin,
        }
    }
}
