//! What is to be served, and how?

use crate::error::ServeError;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What is to be served, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder. Default: the current one.
    pub folder: PathBuf,
    /// Default: 8080. 0 is any free one.
    pub port: u16,
    /// A name or address of this machine. Default: `0.0.0.0`.
    pub host: String,
    /// What `/` means, and with `spa` every path that is no file: a path below the folder. Default:
    /// `index.html`.
    pub homepage: String,
    /// Whether a path that is no file gets the homepage (or, first, the file of the same name in
    /// the folder itself), for applications that look at the path in the browser. Default: false.
    pub spa: bool,
    /// Whether a folder without `index.html` is shown as a list of its files. Default: false.
    pub listing: bool,
    /// Who may ask. Default: everybody.
    pub basic_auth: Option<Credentials>,
    /// Whether files and folders whose names begin with a dot are served. `.well-known` always is.
    /// Default: false: they are what nobody means to publish, such as `.git` and `.env`.
    pub hidden: bool,
    /// Whether pages from elsewhere may read the files (`Access-Control-Allow-Origin: *`). Default:
    /// true, as with PM2.
    pub cross_origin: bool,
    /// How long a client may use a file without asking again; not for HTML. Default: zero: it asks
    /// each time, and gets a short answer if nothing has changed.
    pub max_age: Duration,
    /// How long a client may take to send the head of a request, or be silent between two. Default:
    /// 20 seconds.
    pub head_timeout: Duration,
    /// How long a client may take nothing of what it is sent. Default: 60 seconds.
    pub stall_timeout: Duration,
    /// How long, once the server is to end, what was begun may go on. Default: 30 seconds.
    pub grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("."),
            port: 8080,
            host: "0.0.0.0".to_owned(),
            homepage: "index.html".to_owned(),
            spa: false,
            listing: false,
            basic_auth: None,
            hidden: false,
            cross_origin: true,
            max_age: Duration::ZERO,
            head_timeout: Duration::from_secs(20),
            stall_timeout: Duration::from_secs(60),
            grace: Duration::from_secs(30),
        }
    }
}

/// A user and a password. `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user; a colon in it can never be sent by a browser.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Credentials");
        shown.field("user", &self.user).finish_non_exhaustive()
    }
}

impl Options {
    /// These options, changed by the variables that PM2 has for its server: `PM2_SERVE_PORT`,
    /// `_HOST`, `_PATH`, `_SPA`, `_FTP`, `_HOMEPAGE`, `_BASIC_AUTH` with `_BASIC_AUTH_USERNAME` and
    /// `_BASIC_AUTH_PASSWORD`. `variable` looks one up; one that is empty is not there.
    ///
    /// # Errors
    /// When one of them means nothing; when basic authentication is asked for without a user or a
    /// password; when `PM2_SERVE_MONITOR` is set.
    pub fn with_variables(
        mut self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ServeError> {
        let text = |name: &'static str| variable(name).filter(|value| !value.is_empty());
        let flag = |name: &'static str| match text(name).as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(value) => Err(ServeError::Variable {
                name,
                value: value.to_owned(),
                expected: "true or false",
            }),
        };
        if let Some(port) = text("PM2_SERVE_PORT") {
            self.port = port.parse().map_err(|_| ServeError::Variable {
                name: "PM2_SERVE_PORT",
                value: port,
                expected: "a port from 0 to 65535",
            })?;
        }
        self.host = text("PM2_SERVE_HOST").unwrap_or(self.host);
        self.folder = text("PM2_SERVE_PATH").map_or(self.folder, PathBuf::from);
        self.homepage = text("PM2_SERVE_HOMEPAGE").unwrap_or(self.homepage);
        self.spa = flag("PM2_SERVE_SPA")?.unwrap_or(self.spa);
        self.listing = flag("PM2_SERVE_FTP")?.unwrap_or(self.listing);
        let user = text("PM2_SERVE_BASIC_AUTH_USERNAME");
        let password = text("PM2_SERVE_BASIC_AUTH_PASSWORD");
        match flag("PM2_SERVE_BASIC_AUTH")? {
            // Who names a user and a password wants them asked for.
            None => match (user, password) {
                (None, None) => {}
                (Some(user), Some(password)) => {
                    self.basic_auth = Some(Credentials { user, password });
                }
                _ => return Err(ServeError::HalfCredentials),
            },
            Some(false) => self.basic_auth = None,
            Some(true) => {
                self.basic_auth = match (user, password) {
                    (Some(user), Some(password)) => Some(Credentials { user, password }),
                    (None, None) if self.basic_auth.is_some() => self.basic_auth,
                    _ => return Err(ServeError::HalfCredentials),
                }
            }
        }
        match text("PM2_SERVE_MONITOR").as_deref() {
            None | Some("false" | "0") => Ok(self),
            Some(_) => Err(ServeError::Unsupported {
                what: "PM2_SERVE_MONITOR",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<Options, ServeError> {
        Options::default().with_variables(|name| {
            let found = variables.iter().find(|(found, _)| *found == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_variables_of_pm2_win() {
        let options = with(&[
            ("PM2_SERVE_PORT", "81"),
            ("PM2_SERVE_HOST", "::1"),
            ("PM2_SERVE_PATH", "/www"),
            ("PM2_SERVE_SPA", "true"),
            ("PM2_SERVE_FTP", "false"),
            ("PM2_SERVE_HOMEPAGE", "/start.html"),
            ("PM2_SERVE_BASIC_AUTH", "true"),
            ("PM2_SERVE_BASIC_AUTH_USERNAME", "me"),
            ("PM2_SERVE_BASIC_AUTH_PASSWORD", "secret"),
        ])
        .unwrap();
        assert_eq!((options.port, options.host.as_str()), (81, "::1"));
        assert_eq!(options.folder, PathBuf::from("/www"));
        assert!(options.spa && !options.listing);
        assert_eq!(options.homepage, "/start.html");
        let shown = format!("{options:?}");
        assert!(shown.contains("me") && !shown.contains("secret"), "{shown}");
        assert_eq!(options.basic_auth.unwrap().password, "secret");
    }

    #[test]
    fn a_variable_that_means_nothing_is_refused_by_name() {
        for (name, value, hint) in [
            ("PM2_SERVE_PORT", "web", "65535"),
            ("PM2_SERVE_SPA", "yes", "true or false"),
            ("PM2_SERVE_MONITOR", "true", "not supported"),
            ("PM2_SERVE_BASIC_AUTH", "true", "PASSWORD"),
        ] {
            let text = with(&[(name, value)]).unwrap_err().to_string();
            assert!(text.contains(hint) && text.contains("hint: "), "{text}");
        }
        assert!(with(&[("PM2_SERVE_PORT", "")]).is_ok());
    }
}
