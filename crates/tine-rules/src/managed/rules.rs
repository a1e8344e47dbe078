//! What the user asked of one app that is managed.

use std::time::Duration;

use crate::restart::RestartRules;
use crate::stop::StopRules;

/// How the processes of one app are treated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedRules {
    /// How processes that ended are replaced.
    pub restart: RestartRules,
    /// The first of the growing delays before a replacement, which take the place of every other
    /// delay ([`crate::restart`], "Backing off"). `None` and zero: they do not grow. Default: `None`.
    pub exp_backoff: Option<Duration>,
    /// How processes are stopped.
    pub stop: StopRules,
    /// Whether a process whose channel is open is stopped by the message `shutdown`, in place of
    /// the disconnect and the signal. Default: false.
    pub shutdown_with_message: bool,
    /// What its processes can talk over. Default: nothing.
    pub channel: ChannelKind,
    /// How a process shows that it works. Default: it does not.
    pub readiness: Readiness,
    /// How long a process has, from its creation, to show that it works. Default: 3 s, as in PM2.
    pub listen_timeout: Duration,
}

impl Default for ManagedRules {
    fn default() -> Self {
        ManagedRules {
            restart: RestartRules::default(),
            exp_backoff: None,
            stop: StopRules::default(),
            shutdown_with_message: false,
            channel: ChannelKind::None,
            readiness: Readiness::Silent,
            listen_timeout: Duration::from_secs(3),
        }
    }
}

/// What goes between a process and the one that created it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    /// Nothing.
    None,
    /// Messages.
    Messages,
    /// Messages, and the protocol of Node's cluster: such a process can be told to disconnect, and
    /// two generations of it can serve side by side.
    Cluster,
}

/// How a process shows that it works: *online* is what PM2 shows, *up* is what a start waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It says nothing: online as soon as it exists, up when it listens or has lived `min_uptime`.
    Silent,
    /// It speaks the cluster protocol: online at the message `online`, up when it listens, or when
    /// it is online and has lived `min_uptime` (a worker that serves nobody).
    Cluster,
    /// Online and up at the message `ready`.
    Message,
}
