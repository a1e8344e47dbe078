//! Which processes does a target mean?

use super::app::App;
use super::registry::Registry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use tine_control::{ErrorCode, Failure, Limits, Target};

/// Characters of what was asked for that are repeated.
const LONGEST_TEXT: usize = 400;

/// Some slots of one app.
#[derive(Debug, Clone)]
pub(super) struct Meant {
    pub(super) app: Rc<App>,
    pub(super) slots: Vec<u32>,
}

/// What of an app a target is compared with.
struct Known {
    app: Rc<App>,
    name: String,
    namespace: String,
    script: PathBuf,
    slots: BTreeMap<u32, u32>,
}

/// The processes that a target means, by app; in the order of their ids.
///
/// # Errors
/// When it means none. `all` may mean none.
pub(super) fn find(registry: &Registry, target: &Target) -> Result<Vec<Meant>, Failure> {
    let known: Vec<Known> = registry
        .apps()
        .into_iter()
        .map(|app| {
            let core = app.core.borrow();
            Known {
                name: core.spec.name.clone(),
                namespace: core.spec.namespace.clone(),
                script: core.spec.script.clone(),
                slots: core.slots.iter().map(|(slot, it)| (*slot, it.id)).collect(),
                app: app.clone(),
            }
        })
        .collect();
    let mut chosen: Vec<BTreeSet<u32>> = vec![BTreeSet::new(); known.len()];
    match target {
        Target::Several(each) => {
            for one in each {
                choose(&known, one, &mut chosen)?;
            }
        }
        one => choose(&known, one, &mut chosen)?,
    }
    let meant = known.into_iter().zip(chosen);
    let mut meant: Vec<Meant> = meant
        .filter(|(_, slots)| !slots.is_empty())
        .map(|(known, slots)| Meant {
            app: known.app,
            slots: slots.into_iter().collect(),
        })
        .collect();
    meant.sort_by_key(|meant| meant.app.id);
    Ok(meant)
}

/// As [`find`], but none is an error also for `all`.
pub(super) fn some(registry: &Registry, target: &Target) -> Result<Vec<Meant>, Failure> {
    let meant = find(registry, target)?;
    if meant.is_empty() {
        return Err(
            Failure::new(ErrorCode::NotFound, "there is no process to do this to")
                .hint("`tine start` starts one"),
        );
    }
    Ok(meant)
}

fn choose(known: &[Known], target: &Target, chosen: &mut [BTreeSet<u32>]) -> Result<(), Failure> {
    let mut whole = |which: &dyn Fn(&Known) -> bool| {
        let mut any = false;
        for (known, chosen) in known.iter().zip(chosen.iter_mut()) {
            if which(known) {
                any = true;
                chosen.extend(known.slots.keys());
            }
        }
        any
    };
    let found = match target {
        Target::All => {
            whole(&|_| true);
            true
        }
        Target::Name(name) => whole(&|known| known.name == *name),
        Target::Namespace(name) => whole(&|known| known.namespace == *name),
        Target::Regex(text) => {
            let regex = regex_lite::Regex::new(text).map_err(|error| {
                Failure::new(
                    ErrorCode::Invalid,
                    format!("/{text}/ is not a regular expression: {error}"),
                )
            })?;
            whole(&|known| regex.is_match(&known.name))
        }
        Target::Id(id) => by_id(known, *id, chosen),
        Target::Word { word, path } => {
            whole(&|known| known.name == *word)
                || whole(&|known| path.as_ref().is_some_and(|path| known.script == *path))
                || whole(&|known| known.namespace == *word)
                || word.parse().is_ok_and(|id| by_id(known, id, chosen))
        }
        // Lists within lists are not made.
        Target::Several(_) => true,
    };
    if found {
        Ok(())
    } else {
        Err(nobody(known, target))
    }
}

fn by_id(known: &[Known], id: u32, chosen: &mut [BTreeSet<u32>]) -> bool {
    for (known, chosen) in known.iter().zip(chosen.iter_mut()) {
        if let Some((slot, _)) = known.slots.iter().find(|(_, own)| **own == id) {
            chosen.insert(*slot);
            return true;
        }
    }
    false
}

/// The failure of a target that means nothing, with the name that may have been meant.
fn nobody(known: &[Known], target: &Target) -> Failure {
    let (text, word) = match target {
        Target::Name(name) => (format!("no app is called {name:?}"), Some(name)),
        Target::Namespace(name) => (format!("no namespace is called {name:?}"), Some(name)),
        Target::Regex(text) => (format!("no app has a name that matches /{text}/"), None),
        Target::Id(id) => (format!("no process has the id {id}"), None),
        Target::Word { word, .. } => (
            format!("no app, namespace or id is called {word:?}"),
            Some(word),
        ),
        Target::All | Target::Several(_) => ("there is no process".to_owned(), None),
    };
    // Nobody means a name by a word that is longer than any.
    let word = word.filter(|word| word.len() <= 2 * Limits::NAME_BYTES);
    let near = word.and_then(|word| {
        let names = known
            .iter()
            .flat_map(|known| [&known.name, &known.namespace]);
        names
            .map(|name| (strsim::damerau_levenshtein(word, name), name))
            .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 4)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, name)| name.clone())
    });
    let text: String = text.chars().take(LONGEST_TEXT).collect();
    let failure = Failure::new(ErrorCode::NotFound, text);
    match near {
        Some(name) => failure.hint(format!("there is {name}")),
        None => failure.hint("`tine list` shows what there is"),
    }
}
