//! Rules of the house that a compiler does not check.
#![allow(clippy::disallowed_methods, reason = "asks cargo")]
#![allow(clippy::unwrap_used, reason = "a test may")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn metadata(more: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(more)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every file in Rust below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty());
    files
}

/// Which crate may know of which. What is missing here is forbidden.
fn allowed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    [
        ("tine-ipc", &[][..]),
        ("tine-rules", &[]),
        ("tine-sys", &[]),
        ("tine-logs", &["tine-sys"]),
        ("tine-control", &["tine-rules"]),
        ("tine-keeper", &["tine-sys"]),
        ("tine-cluster", &["tine-rules", "tine-ipc", "tine-sys"]),
        (
            "tine-daemon",
            &[
                "tine-cluster",
                "tine-control",
                "tine-keeper",
                "tine-logs",
                "tine-rules",
                "tine-sys",
            ],
        ),
        ("tine-config", &["tine-control", "tine-rules", "tine-sys"]),
        ("tine-serve", &["tine-cluster"]),
        (
            "tine",
            &[
                "tine-config",
                "tine-control",
                "tine-daemon",
                "tine-keeper",
                "tine-logs",
                "tine-serve",
                "tine-sys",
            ],
        ),
        ("tine-testkit", &[]),
    ]
    .into_iter()
    .map(|(name, may)| (name, may.iter().copied().collect()))
    .collect()
}

#[test]
fn crates_know_only_those_they_may_know() {
    let allowed = allowed();
    let metadata = metadata(&["--no-deps"]);
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        if name == "xtask" || name == "e2e" {
            continue;
        }
        let may = allowed
            .get(name)
            .unwrap_or_else(|| panic!("{name} has no place in the house"));
        seen.insert(name.to_owned());
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = dependency["name"].as_str().unwrap();
            let for_tests = dependency["kind"].as_str() == Some("dev");
            if other.starts_with("tine") && !(for_tests && other == "tine-testkit") {
                assert!(may.contains(other), "{name} must not depend on {other}");
            }
        }
    }
    let expected: BTreeSet<String> = allowed.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(seen, expected);
}

#[test]
fn unsafe_is_forbidden_everywhere_but_in_tine_sys() {
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let head = ["src/lib.rs", "src/main.rs"]
            .iter()
            .find_map(|file| std::fs::read_to_string(folder.join(file)).ok())
            .unwrap();
        let forbids = head.contains("#![forbid(unsafe_code)]");
        assert_eq!(
            forbids,
            !folder.ends_with("tine-sys"),
            "{}",
            folder.display()
        );
    }
}

#[test]
fn every_dependency_has_a_licence_that_we_may_ship() {
    let permitted = [
        "MIT",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "Unicode-3.0",
        "Zlib",
        "BSD-3-Clause",
        "BSD-2-Clause",
        "ISC",
        "BSL-1.0",
        "CC0-1.0",
        "Unlicense",
        "0BSD",
        "MIT-0",
    ];
    let metadata = metadata(&["--filter-platform", "x86_64-unknown-linux-gnu"]);
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("");
        // `A OR B` leaves the choice to us; `A AND B` does not.
        let satisfied = licence.replace('/', " OR ").split(" AND ").all(|part| {
            let part = part.trim().trim_matches(['(', ')']);
            part.split(" OR ")
                .any(|one| permitted.contains(&one.trim().trim_matches(['(', ')'])))
        });
        assert!(satisfied, "{name} has licence {licence:?}");
    }
}

#[test]
fn the_rules_touch_neither_clock_nor_world() {
    for path in sources(&root().join("crates/tine-rules/src")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for word in [
            "Instant",
            "SystemTime",
            "std::fs",
            "std::net",
            "std::process",
            "std::env",
        ] {
            assert!(!text.contains(word), "{} speaks of {word}", path.display());
        }
    }
}
