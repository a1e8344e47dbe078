//! What does a process file say of one app, before anything is looked up?

use super::variables::Variables;
use crate::options::Options;
use crate::problem::Place;
use std::collections::BTreeMap;

/// One app as it is written.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// How problems name it.
    pub(super) label: String,
    /// Where it begins.
    pub(super) place: Option<Place>,
    pub(super) script: Option<String>,
    pub(super) options: Options,
    pub(super) append_env_to_name: Option<bool>,
    pub(super) io: Option<String>,
    pub(super) force: Option<bool>,
    pub(super) disable_source_map_support: Option<bool>,
    /// `env`.
    pub(super) env: Variables,
    /// `env_NAME`, by the name.
    pub(super) env_of: BTreeMap<String, Variables>,
    /// It is a server of files, and no script.
    pub(super) is_server: bool,
    pub(super) serve: Serve,
    /// The fields by which it was said, in snake case, with the key as it was written.
    pub(super) written: BTreeMap<&'static str, (String, Option<Place>)>,
}

/// What `tine serve` is to be asked.
#[derive(Debug, Default, Clone)]
pub(super) struct Serve {
    pub(super) path: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) host: Option<String>,
    pub(super) spa: Option<bool>,
    pub(super) listing: Option<bool>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

/// The variables in which a server of files finds its user and password, so that they are in no list
/// of processes. The names are PM2's.
pub(super) const SERVE_AUTH: &str = "PM2_SERVE_BASIC_AUTH";
/// See [`SERVE_AUTH`].
pub(super) const SERVE_USER: &str = "PM2_SERVE_BASIC_AUTH_USERNAME";
/// See [`SERVE_AUTH`].
pub(super) const SERVE_PASSWORD: &str = "PM2_SERVE_BASIC_AUTH_PASSWORD";

impl Serve {
    /// The words after `tine`.
    pub(super) fn args(&self) -> Vec<String> {
        let mut args = vec!["serve-files".to_owned()];
        args.push(self.path.clone().unwrap_or_else(|| ".".to_owned()));
        args.push(self.port().to_string());
        if let Some(host) = &self.host {
            args.extend(["--host".to_owned(), host.clone()]);
        }
        for (asked, option) in [(self.spa, "--spa"), (self.listing, "--ftp")] {
            if asked == Some(true) {
                args.push(option.to_owned());
            }
        }
        args
    }

    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(8080)
    }

    /// What PM2's variables for its own server say, for an app whose script is `serve`.
    pub(super) fn from_variables(env: &BTreeMap<String, String>) -> Serve {
        let get = |name: &str| env.get(&format!("PM2_SERVE_{name}")).cloned();
        let on = |name: &str| get(name).map(|text| text == "true");
        Serve {
            path: get("PATH"),
            port: get("PORT").and_then(|text| text.parse().ok()),
            host: get("HOST"),
            spa: on("SPA"),
            listing: on("FTP"),
            user: None,
            password: None,
        }
    }
}
