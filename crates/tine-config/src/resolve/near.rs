//! What may have been meant?

use std::path::Path;

/// The known word that is nearest to the one given, if it is near enough to be a slip of the hand.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let distance = strsim::damerau_levenshtein(&word, &candidate.to_lowercase());
        // A third of the letters may be wrong.
        let near = distance * 3 <= candidate.chars().count().max(word.chars().count());
        if near && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// A file beside the one that is not there, which may have been meant.
pub(super) fn file(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let stem = Path::new(wanted).file_stem()?.to_str()?.to_lowercase();
    let mut names: Vec<String> = std::fs::read_dir(path.parent()?)
        .ok()?
        // A folder may have millions.
        .take(10_000)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && name.as_str() != wanted)
        .collect();
    names.sort();
    let same_stem = names.iter().find(|name| {
        let other = Path::new(name).file_stem().and_then(|stem| stem.to_str());
        other.is_some_and(|other| other.to_lowercase() == stem)
    });
    match same_stem {
        Some(name) => Some(name.clone()),
        None => nearest(wanted, names.iter().map(String::as_str)).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;

    #[test]
    fn only_slips_of_the_hand_are_near() {
        let known = ["max_restarts", "script", "out_file", "cwd"];
        assert_eq!(nearest("max_restart", known), Some("max_restarts"));
        assert_eq!(nearest("scirpt", known), Some("script"));
        assert_eq!(nearest("Script", known), Some("script"));
        assert_eq!(nearest("cdw", known), Some("cwd"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn a_file_with_the_same_stem_is_named_first() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["server.ts", "servr.js", "other.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let near = |name: &str| file(&folder.path().join(name));
        assert_eq!(near("server.js").as_deref(), Some("server.ts"));
        assert_eq!(near("serve.js").as_deref(), Some("servr.js"));
        assert_eq!(near("zzz"), None);
    }
}
