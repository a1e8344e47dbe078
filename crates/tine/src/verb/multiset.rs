//! `tine multiset`: writes several settings.

use crate::args::keep::MultiSet;
use crate::daemon;
use crate::exit;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_control::request::Set;

pub(crate) fn run(args: &MultiSet, ui: Ui) -> Result<u8, Trouble> {
    let wrong = |why: String| {
        Trouble::usage(format!("reading the settings: {why}"))
            .hint("keys and values by turns, in one word: `tine multiset \"a:b 1 c:d 2\"`")
    };
    let words = shell_words::split(&args.pairs).map_err(|error| wrong(error.to_string()))?;
    // All are looked at before the first is written.
    if words.is_empty() || words.len() % 2 != 0 {
        return Err(wrong(format!("{} words are no pairs", words.len())));
    }
    let mut client = daemon::ensured()?;
    for pair in words.chunks_exact(2) {
        if let [key, value] = pair {
            client.ask(&Set {
                key: key.clone(),
                value: value.clone(),
            })?;
            ui.say(&format!("{key} is set"));
        }
    }
    Ok(exit::DONE)
}
