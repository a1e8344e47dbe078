//! What may be said to `tine serve`, and to the server that it starts?

use super::act::Waiting;
use clap::Args as Arguments;
use std::path::PathBuf;
use tine_daemon::rules::Instances;

/// Serve a folder over HTTP, as an app like any other.
#[derive(Debug, Arguments)]
pub(crate) struct Serve {
    /// The folder.
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) path: PathBuf,

    /// The port; 8080 if not given.
    #[arg(value_name = "PORT")]
    pub(crate) port_after: Option<u16>,

    /// The same.
    #[arg(long, value_name = "PORT", conflicts_with = "port_after")]
    pub(crate) port: Option<u16>,

    /// The address; all of this machine if not given.
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,

    /// Answer what is not there with index.html, for applications that look at the path in the
    /// browser.
    #[arg(long)]
    pub(crate) spa: bool,

    /// List folders that have no index.html.
    #[arg(long, visible_alias = "list")]
    pub(crate) ftp: bool,

    /// Ask for this user, and for the password of the next option.
    #[arg(long, value_name = "NAME", requires = "basic_auth_password")]
    pub(crate) basic_auth_username: Option<String>,

    /// Ask for this password. Only the daemon and the server see it, but it is in the history of
    /// your shell: `PM2_SERVE_BASIC_AUTH_PASSWORD` in a process file's `env` is not.
    #[arg(long, value_name = "PASSWORD", requires = "basic_auth_username")]
    pub(crate) basic_auth_password: Option<String>,

    /// What the app is called; `static-page-server-PORT` if not given.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// How many processes share the port: a number, `max`, or -1 for one fewer than cores.
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) instances: Option<Instances>,

    /// Start further processes if an app of this name is there.
    #[arg(short, long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) waiting: Waiting,
}
