//! `tine init`: writes a process file to begin with.

use crate::args::keep::{Init, InitMode};
use crate::exit;
use crate::meant;
use crate::trouble::Trouble;
use crate::ui::Ui;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;
use tine_config::Template;

/// What is there is never overwritten.
pub(crate) fn run(args: &Init, ui: Ui) -> Result<u8, Trouble> {
    let template = match args.mode {
        None => Template::Ecosystem,
        Some(InitMode::Simple) => Template::Simple,
        Some(InitMode::Toml) => Template::Toml,
    };
    let folder = meant::around()?.cwd;
    let name = match template.file_name() {
        // Node would read it as a module, which it is not.
        "ecosystem.config.js" if is_module(&folder) => "ecosystem.config.cjs",
        name => name,
    };
    let path = folder.join(name);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(template.text().as_bytes()));
    match written {
        Ok(()) => {
            ui.say(&format!("{} is written", path.display()));
            ui.hint(&format!(
                "`tine check {name}` and `tine start {name}` come next"
            ));
            Ok(exit::DONE)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Trouble::new(
            exit::APP_FAILED,
            format!("{} is there already", path.display()),
        )
        .hint("it is left as it is; move it away to get a new one")),
        Err(error) => Err(Trouble::new(
            exit::SYSTEM,
            format!("writing {}: {error}", path.display()),
        )),
    }
}

/// Whether the package in this folder says that its JavaScript is modules.
fn is_module(folder: &Path) -> bool {
    let text = std::fs::read_to_string(folder.join("package.json")).unwrap_or_default();
    let package: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    package.get("type").and_then(serde_json::Value::as_str) == Some("module")
}
