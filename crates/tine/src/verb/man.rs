//! `tine man`: writes the manual pages.

use crate::args::Args;
use crate::args::keep::Man;
use crate::exit;
use crate::trouble::Trouble;
use crate::ui::Ui;
use clap::CommandFactory;
use std::fs;
use std::path::Path;

pub(crate) fn run(args: &Man, ui: Ui) -> Result<u8, Trouble> {
    let refused = |doing: &str, path: &Path, error: std::io::Error| {
        Trouble::new(exit::SYSTEM, format!("{doing} {}: {error}", path.display()))
    };
    fs::create_dir_all(&args.out)
        .map_err(|error| refused("making the folder", &args.out, error))?;
    let pages = pages();
    for (name, page) in &pages {
        let path = args.out.join(name);
        fs::write(&path, page).map_err(|error| refused("writing", &path, error))?;
    }
    let folder = args.out.display();
    ui.say(&format!("{} pages are in {folder}", pages.len()));
    Ok(exit::DONE)
}

/// Each page with the name of its file: `tine.1`, and `tine-VERB.1` for every verb.
fn pages() -> Vec<(String, Vec<u8>)> {
    let mut command = Args::command();
    command.build();
    let mut pages = Vec::new();
    let page = |command: clap::Command| {
        let mut bytes = Vec::new();
        // Writing to memory does not fail.
        let _ = clap_mangen::Man::new(command).render(&mut bytes);
        bytes
    };
    for verb in command.get_subcommands() {
        let file = format!("tine-{}.1", verb.get_name());
        pages.push((file, page(verb.clone())));
    }
    pages.push(("tine.1".to_owned(), page(command)));
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_page_and_is_named_on_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("man1");
        let ui = Ui::new(true);
        assert_eq!(run(&Man { out: out.clone() }, ui), Ok(exit::DONE));
        let first = fs::read_to_string(out.join("tine.1")).unwrap();
        for verb in Args::command().get_subcommands() {
            let name = verb.get_name();
            let page = fs::read_to_string(out.join(format!("tine-{name}.1"))).unwrap();
            assert!(page.contains(".SH SYNOPSIS"), "{name}");
            assert!(first.contains(&name.replace('-', "\\-")), "{name}");
        }
    }
}
