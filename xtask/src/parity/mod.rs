//! `cargo xtask parity`: which of Node's own tests are asserted by which of ours.

mod list;
mod page;
mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use self::list::{Group, NodeTest};
use self::scan::OurTest;
use crate::Result;
use crate::step::root;

const USAGE: &str = "\
usage: cargo xtask parity [--check | --missing]

Writes docs/node-parity.md from xtask/parity/tests.txt and the `/// node: NAME` lines of our tests.

  --check     write nothing; fail if the file is not what would be written, or a test is missing
  --missing   write nothing; print the Node tests that have neither a test of ours nor a reason
";

const LIST: &str = "xtask/parity/tests.txt";
const PAGE: &str = "docs/node-parity.md";

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["help" | "--help" | "-h", ..] = arguments[..] {
        print!("{USAGE}");
        return Ok(());
    }
    let root = root();
    let found = collect(&root)?;
    match arguments[..] {
        [] => {
            let path = root.join(PAGE);
            fs::write(&path, page::markdown(&found))
                .map_err(|e| format!("writing {}: {e}", path.display()))?;
            println!("{PAGE}: {}", page::summary(&found));
            Ok(())
        }
        ["--missing"] => {
            for test in found.missing() {
                println!("{}", test.name);
            }
            Ok(())
        }
        ["--check"] => check(&found, &root.join(PAGE)),
        _ => Err(USAGE.to_owned()),
    }
}

fn check(found: &Parity, page: &Path) -> Result<()> {
    let missing: Vec<&str> = found.missing().map(|t| t.name.as_str()).collect();
    let mut wrong = Vec::new();
    if !missing.is_empty() {
        wrong.push(format!(
            "{} of Node's tests have neither a test of ours nor a reason (hint: `/// node: NAME` in \
             the documentation of the test, or `why not:` in {LIST}):\n  {}",
            missing.len(),
            missing.join("\n  ")
        ));
    }
    let committed = fs::read_to_string(page).unwrap_or_default();
    if committed != page::markdown(found) {
        wrong.push(format!(
            "{PAGE} is not what the tests say (hint: `cargo xtask parity` writes it)"
        ));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// Node's tests, and ours that assert them.
#[derive(Debug)]
struct Parity {
    groups: Vec<Group>,
    /// By the stem of Node's file; never of a test with a reason.
    ours: BTreeMap<String, BTreeSet<OurTest>>,
}

impl Parity {
    fn of(&self, test: &NodeTest) -> impl Iterator<Item = &OurTest> {
        self.ours.get(test.stem()).into_iter().flatten()
    }

    fn tests(&self) -> impl Iterator<Item = &NodeTest> {
        self.groups.iter().flat_map(|group| &group.tests)
    }

    fn missing(&self) -> impl Iterator<Item = &NodeTest> {
        self.tests()
            .filter(|test| test.why_not.is_none() && self.of(test).next().is_none())
    }
}

fn collect(root: &Path) -> Result<Parity> {
    let path = root.join(LIST);
    let text = fs::read_to_string(&path).map_err(|e| format!("reading {}: {e}", path.display()))?;
    let groups = list::parse(&text).map_err(|e| format!("{LIST}: {e}"))?;
    let sources = sources(root)?;
    join(groups, &sources)
}

/// All that is wrong is said at once.
fn join(groups: Vec<Group>, sources: &[scan::Source]) -> Result<Parity> {
    let mut wrong = Vec::new();
    let mut ours: BTreeMap<String, BTreeSet<OurTest>> = BTreeMap::new();
    let macros = scan::test_macros(sources);
    for source in sources {
        for marker in scan::markers(source, &macros) {
            let mut known = groups.iter().flat_map(|g| &g.tests);
            let known = known.find(|t| t.is_called(&marker.node));
            let problem = match (&marker.test, known) {
                (Err(problem), _) => problem.clone(),
                (Ok(_), None) => format!("{LIST} has no {:?}", marker.node),
                (
                    Ok(_),
                    Some(NodeTest {
                        why_not: Some(_), ..
                    }),
                ) => {
                    format!(
                        "{LIST} gives a reason why there is no test of {}",
                        marker.node
                    )
                }
                (Ok(test), Some(known)) => {
                    ours.entry(known.stem().to_owned())
                        .or_default()
                        .insert(test.clone());
                    continue;
                }
            };
            wrong.push(format!("{}:{}: {problem}", source.path, marker.line));
        }
    }
    if wrong.is_empty() {
        Ok(Parity { groups, ours })
    } else {
        Err(wrong.join("\n"))
    }
}

/// Every file that may hold a test of ours, in the order of their paths.
fn sources(root: &Path) -> Result<Vec<scan::Source>> {
    let mut folders: Vec<PathBuf> = vec![root.join("e2e/tests")];
    for krate in entries(&root.join("crates"))? {
        folders.extend([krate.join("src"), krate.join("tests")]);
    }
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for path in entries(&folder)? {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let read = |path: PathBuf| {
        let text =
            fs::read_to_string(&path).map_err(|e| format!("reading {}: {e}", path.display()))?;
        let path = path.strip_prefix(root).unwrap_or(&path);
        Ok(scan::Source {
            path: path.to_string_lossy().into_owned(),
            text,
        })
    };
    files.into_iter().map(read).collect()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).and_then(|all| {
        all.map(|entry| entry.map(|it| it.path()))
            .collect::<std::io::Result<Vec<_>>>()
    });
    entries.map_err(|e| format!("reading {}: {e}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(list: &str, rust: &str) -> Result<Parity> {
        let source = scan::Source {
            path: "crates/a/tests/b.rs".to_owned(),
            text: rust.to_owned(),
        };
        join(list::parse(list).unwrap(), &[source])
    }

    const LIST: &str = "[g]\na/test-one | it is\ntest-two | it is not\n    why not: it cannot\n";

    #[test]
    fn a_test_of_ours_is_found_by_name_or_stem_and_what_is_left_is_missing() {
        let none = joined(LIST, "").unwrap();
        assert!(none.missing().map(|t| &t.name).eq(["a/test-one"]));
        for name in ["test-one", "a/test-one"] {
            let rust = format!("/// node: {name}\n#[test]\nfn shows() {{}}\n");
            let all = joined(LIST, &rust).unwrap();
            assert_eq!(all.missing().count(), 0);
            let one = all.tests().next().unwrap();
            assert!(all.of(one).map(|o| o.function.as_str()).eq(["shows"]));
        }
    }

    #[test]
    fn unknown_names_and_tests_of_what_has_a_reason_are_errors_with_their_place() {
        let rust = "\n/// node: test-three\n/// node: test-two\n#[test]\nfn shows() {}\n";
        let error = joined(LIST, rust).unwrap_err();
        assert!(error.contains("crates/a/tests/b.rs:2: "), "{error}");
        assert!(error.contains("no \"test-three\""), "{error}");
        assert!(error.contains("crates/a/tests/b.rs:3: "), "{error}");
        assert!(error.contains("gives a reason"), "{error}");
    }

    #[test]
    fn the_list_has_all_of_nodes_cluster_tests() {
        let text = include_str!("../../parity/tests.txt");
        let groups = list::parse(text).unwrap();
        let names: Vec<&str> = groups
            .iter()
            .flat_map(|g| &g.tests)
            .map(|t| t.name.as_str())
            .collect();
        let of = |start: &str| names.iter().filter(|n| n.starts_with(start)).count();
        assert_eq!(
            (of("test-cluster-"), of("sequential/test-cluster-")),
            (83, 5)
        );
    }
}
