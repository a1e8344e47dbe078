//! `tine serve`: a folder over HTTP, as an app like any other.

use crate::acting::Acting;
use crate::args::act::FileOptions;
use crate::args::serve::Serve;
use crate::daemon;
use crate::meant;
use crate::trouble::Trouble;
use crate::ui::Ui;
use std::process::ExitCode;
use tine_config::{Options, Source};
use tine_control::request::{self, IfPresent};
use tine_serve::ServeError;

/// Starts the app.
pub(crate) fn run(args: &Serve, ui: Ui) -> Result<u8, Trouble> {
    let around = meant::around()?;
    // It is what `static` of a process file is, so it is made as that is.
    let mut site = serde_json::Map::new();
    let mut say = |key: &str, value: serde_json::Value| site.insert(key.to_owned(), value);
    say("path", args.path.to_string_lossy().into());
    say("port", args.port.or(args.port_after).unwrap_or(8080).into());
    say("spa", args.spa.into());
    say("ftp", args.ftp.into());
    if let Some(host) = &args.host {
        say("host", host.as_str().into());
    }
    if let Some(name) = &args.name {
        say("name", name.as_str().into());
    }
    if let (Some(user), Some(password)) = (&args.basic_auth_username, &args.basic_auth_password) {
        let both = serde_json::json!({ "username": user, "password": password });
        say("basic_auth", both);
    }
    let text = serde_json::json!({ "static": [site] }).to_string();
    let chosen = FileOptions {
        only: Vec::new(),
        env: None,
    };
    let options = Options {
        instances: args.instances,
        ..Options::default()
    };
    let loaded = meant::file(&Source::Text(text), &chosen, options, &around, ui)?;
    let mut client = daemon::ensured()?;
    let mut acting = Acting::new(ui, args.waiting, "the start");
    let verb = request::Start {
        apps: loaded.apps,
        target: None,
        if_present: if args.force {
            IfPresent::Add
        } else {
            IfPresent::Refuse
        },
        inherited_env: meant::shell(&around),
        wait: acting.waits(),
    };
    acting.ask(&mut client, &verb)?;
    acting.finish(&mut client, "started")
}

/// Is the server itself: `tine serve-files FOLDER PORT`, which is how its app is executed.
pub(crate) fn be_the_server(words: impl Iterator<Item = std::ffi::OsString>) -> ExitCode {
    let options = match read(words) {
        Ok(options) => options,
        Err(what) => {
            eprintln!("error: {what}\nhint: `tine serve` starts this server");
            return crate::exit::USAGE.into();
        }
    };
    let variable = |name: &str| std::env::var(name).ok();
    let ended = options.with_variables(variable).and_then(tine_serve::run);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &ServeError) -> ExitCode {
    eprintln!("error: {error}");
    crate::exit::CANNOT_START.into()
}

fn read(
    words: impl Iterator<Item = std::ffi::OsString>,
) -> Result<tine_serve::Options, &'static str> {
    let mut options = tine_serve::Options::default();
    let mut places = 0;
    let mut words = words;
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--spa") => options.spa = true,
            Some("--ftp") => options.listing = true,
            Some("--host") => {
                let host = words.next().ok_or("--host needs a value")?;
                options.host = host.into_string().map_err(|_| "a host is text")?;
            }
            _ if places == 0 => {
                options.folder = word.into();
                places = 1;
            }
            Some(port) if places == 1 => {
                options.port = port.parse().map_err(|_| "a port is a number")?;
                places = 2;
            }
            _ => return Err("the server takes a folder and a port"),
        }
    }
    Ok(options)
}
