//! Which files are process files, and in which language?

use std::path::{Path, PathBuf};

/// What `tine start` without a target looks for, in this order.
pub const DEFAULT_FILES: &[&str] = &[
    "ecosystem.config.js",
    "ecosystem.config.cjs",
    "ecosystem.config.mjs",
    "ecosystem.config.ts",
    "ecosystem.config.json",
    "ecosystem.config.json5",
    "ecosystem.config.yaml",
    "ecosystem.config.yml",
    "ecosystem.json",
    "ecosystem.json5",
    "ecosystem.yaml",
    "ecosystem.yml",
    "tine.toml",
];

/// The process file of a folder, if it has one.
#[must_use]
pub fn find_default(folder: &Path) -> Option<PathBuf> {
    let mut all = DEFAULT_FILES.iter().map(|name| folder.join(name));
    all.find(|path| path.is_file())
}

/// The language of a process file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Json,
    Yaml,
    Toml,
    JavaScript,
    TypeScript,
}

/// By the ending of the name.
const ENDINGS: &[(&str, Language)] = &[
    (".json", Language::Json),
    (".json5", Language::Json),
    (".yml", Language::Yaml),
    (".yaml", Language::Yaml),
    (".toml", Language::Toml),
    (".js", Language::JavaScript),
    (".cjs", Language::JavaScript),
    (".mjs", Language::JavaScript),
    (".ts", Language::TypeScript),
    (".mts", Language::TypeScript),
    (".cts", Language::TypeScript),
];

/// By what is anywhere in the name, as in PM2.
const PARTS: &[(&str, Language)] = &[
    (".config.js", Language::JavaScript),
    (".config.cjs", Language::JavaScript),
    (".config.mjs", Language::JavaScript),
    (".config.ts", Language::TypeScript),
    (".config.mts", Language::TypeScript),
    (".config.cts", Language::TypeScript),
    (".json", Language::Json),
    (".yml", Language::Yaml),
    (".yaml", Language::Yaml),
];

/// Whether the name of a file says that it is a process file.
pub(crate) fn is_process_file(path: &Path) -> bool {
    let name = name(path);
    name.ends_with(".toml") || PARTS.iter().any(|(part, _)| name.contains(part))
}

/// The language of a file that is said to be a process file: by the end of its name if that says
/// it, else by its middle.
pub(crate) fn language(path: &Path) -> Option<Language> {
    let name = name(path);
    ENDINGS
        .iter()
        .find(|(ending, _)| name.ends_with(ending))
        .or_else(|| PARTS.iter().find(|(part, _)| name.contains(part)))
        .map(|(_, language)| *language)
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;

    #[test]
    fn the_end_of_a_name_says_the_language_before_its_middle() {
        for (name, expected) in [
            ("ecosystem.config.js", Language::JavaScript),
            ("a.json.config.js", Language::JavaScript),
            ("a.config.js.json", Language::Json),
            ("a.json.bak", Language::Json),
            ("a.config.cjs.old", Language::JavaScript),
            ("e.config.ts", Language::TypeScript),
            ("a.yml", Language::Yaml),
            ("x.tine.toml", Language::Toml),
            ("plain.js", Language::JavaScript),
        ] {
            assert_eq!(language(Path::new(name)), Some(expected), "{name}");
        }
        assert_eq!(language(Path::new("a.txt")), None);
    }

    #[test]
    fn every_default_is_a_process_file_and_the_first_one_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find_default(folder.path()), None);
        for name in DEFAULT_FILES.iter().rev() {
            let path = folder.path().join(name);
            assert!(is_process_file(&path), "{name}");
            std::fs::write(&path, "").unwrap();
            assert_eq!(find_default(folder.path()), Some(path));
        }
    }
}
