//! Node's tests, as `xtask/parity/tests.txt` lists them.

use std::collections::BTreeSet;

use crate::Result;

/// Tests of one kind, under a heading of the table.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) title: String,
    pub(super) tests: Vec<NodeTest>,
}

/// One file of Node's.
#[derive(Debug)]
pub(super) struct NodeTest {
    /// The file without its ending, with its folder where that is not `parallel`.
    pub(super) name: String,
    pub(super) asserts: String,
    /// Why nothing of it can be shown of a Rust primary or worker.
    pub(super) why_not: Option<String>,
}

impl NodeTest {
    /// Whether a test of ours means this one: by its stem, or with the folder.
    pub(super) fn is_called(&self, name: &str) -> bool {
        name == self.name || name == self.stem()
    }

    /// The name without the folder.
    pub(super) fn stem(&self) -> &str {
        let slash = self.name.rfind('/').map_or(0, |at| at + 1);
        &self.name[slash..]
    }
}

/// `[title]`, `name | what it asserts`, and indented `why not: reason`; `#` begins a remark.
pub(super) fn parse(text: &str) -> Result<Vec<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    let mut stems = BTreeSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        let wrong = |what: &str| format!("line {number}: {what}: {line:?}");
        let words = line.trim();
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        if let Some(title) = words.strip_prefix('[').and_then(|w| w.strip_suffix(']')) {
            groups.push(Group {
                title: title.to_owned(),
                tests: Vec::new(),
            });
            continue;
        }
        let group = groups.last_mut().ok_or_else(|| wrong("no [group] yet"))?;
        if let Some(reason) = words.strip_prefix("why not:") {
            let test = group.tests.last_mut().ok_or_else(|| wrong("no test yet"))?;
            if reason.trim().is_empty() || test.why_not.is_some() {
                return Err(wrong("one reason is wanted"));
            }
            test.why_not = Some(reason.trim().to_owned());
            continue;
        }
        let Some((name, asserts)) = words.split_once(" | ") else {
            return Err(wrong("neither [group], `name | asserts` nor `why not:`"));
        };
        if asserts.contains('|') {
            return Err(wrong("a bar would break the table"));
        }
        let test = NodeTest {
            name: name.trim().to_owned(),
            asserts: asserts.trim().to_owned(),
            why_not: None,
        };
        if !stems.insert(test.stem().to_owned()) {
            return Err(wrong("listed twice"));
        }
        group.tests.push(test);
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_tests_and_reasons_are_read() {
        let text =
            "# a remark\n[one]\ntest-a | does\n\n[two]\ndir/test-b | does not\n  why not: x\n";
        let groups = parse(text).unwrap();
        assert_eq!(groups.len(), 2);
        let (a, b) = (&groups[0].tests[0], &groups[1].tests[0]);
        assert_eq!(
            (a.stem(), a.asserts.as_str(), &a.why_not),
            ("test-a", "does", &None)
        );
        assert_eq!((b.stem(), b.name.as_str()), ("test-b", "dir/test-b"));
        assert_eq!(b.why_not.as_deref(), Some("x"));
    }

    #[test]
    fn what_is_no_line_of_the_list_is_refused_by_its_number() {
        for (text, complaint) in [
            ("test-a | x", "line 1: no [group]"),
            ("[g]\nwhy not: x", "line 2: no test"),
            ("[g]\ntest-a", "line 2: neither"),
            ("[g]\ntest-a | x\ndir/test-a | y", "line 3: listed twice"),
            ("[g]\ntest-a | x\nwhy not:", "line 3: one reason"),
            ("[g]\ntest-a | x | y", "line 2: a bar"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(complaint), "{text:?}: {error}");
        }
    }
}
