//! Does tine know every word of PM2's command line, if only to say that it does not have it?

use crate::manager::{Done, Kind, Manager};
use std::fs;
use std::path::Path;

/// One line of `pm2 --help` in the part that begins with `title`, up to its explanation.
fn words_of_help(title: &str) -> Vec<String> {
    let mut pm2 = Manager::new(Kind::Pm2);
    let done = pm2.run("--help", &[], None);
    assert_eq!(done.code, 0);
    let lines = done.out.iter().skip_while(|line| line.trim() != title);
    let lines = lines.skip(2).take_while(|line| !line.is_empty());
    lines
        .filter_map(|line| Some(line.trim_start().split("  ").next()?.to_owned()))
        .filter(|line| line != "*")
        .collect()
}

/// Whether tine says that it has never heard of the word.
fn is_unknown(done: &Done) -> bool {
    let said = done.err.join("\n");
    let unknown = ["unexpected argument", "there is no command"];
    done.code == 2 && unknown.iter().any(|words| said.contains(words))
}

#[test]
fn a_word_that_nobody_knows_is_unknown() {
    let mut tine = Manager::new(Kind::Tine);
    for words in ["frobnicate", "start --frobnicate", "list --frobnicate"] {
        let done = tine.run(words, &[], None);
        assert!(is_unknown(&done), "{words}: {} {:?}", done.code, done.err);
    }
}

#[test]
fn every_command_of_pm2_is_known_as_the_document_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pm2.md");
    let document = fs::read_to_string(path).unwrap();
    let (_, commands) = document.split_once("\n## Commands\n").unwrap();
    let (commands, _) = commands.split_once("\n## ").unwrap();
    let (there, refused) = commands.split_once("is refused").unwrap();
    let mut tine = Manager::new(Kind::Tine);
    let mut wrong = Vec::new();
    let commands = words_of_help("Commands:");
    assert!(commands.len() > 60, "{commands:?}");
    for line in commands {
        for name in line.split(' ').next().unwrap_or_default().split('|') {
            let done = tine.run(&format!("{name} --help"), &[], None);
            let word = format!("`{name}`");
            let wanted = if there.contains(&word) {
                0
            } else if refused.contains(&word) {
                2
            } else {
                wrong.push(format!("{name} is not in docs/pm2.md"));
                continue;
            };
            if done.code != wanted || is_unknown(&done) {
                wrong.push(format!("tine {name}: {} {:?}", done.code, done.err));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_option_of_pm2_is_known() {
    let mut tine = Manager::new(Kind::Tine);
    let mut wrong = Vec::new();
    let options = words_of_help("Options:");
    assert!(options.len() > 60, "{options:?}");
    for line in options {
        let takes_value = line.contains('<');
        for option in line.split([' ', ',']).filter(|word| word.starts_with('-')) {
            let option = match takes_value {
                true => format!("{option} 1"),
                false => option.to_owned(),
            };
            // An option belongs to one of these; that it does not belong to others is said.
            let verbs = ["", "start missing.js", "list", "restart missing", "ping"];
            let mut said = Vec::new();
            let known = verbs.iter().any(|verb| {
                let done = tine.run(&format!("{verb} {option}"), &[], None);
                said.extend(done.err.first().cloned());
                !is_unknown(&done)
            });
            if !known {
                wrong.push(format!("{option}: {said:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
