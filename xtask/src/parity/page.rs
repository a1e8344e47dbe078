//! `docs/node-parity.md`.

use std::fmt::Write;

use super::Parity;

/// The whole page.
pub(super) fn markdown(found: &Parity) -> String {
    let mut page = format!(
        "<!-- Written by `cargo xtask parity`; a test fails when this file is not what it would write. -->\n\n\
         # Node's own tests\n\n\
         Node tests its cluster, its channels and the handles that travel on them with the programs below. \
         For each that means something for a primary or a worker in Rust, tests of ours assert the same: of \
         a Rust primary, of a Rust worker, or of one of them with a real Node at the other end. \
         For the others the reason is given.\n\n\
         {}.\n",
        summary(found)
    );
    for group in &found.groups {
        let _ = write!(
            page,
            "\n## {}\n\n| Node's test | asserts | ours |\n|---|---|---|\n",
            group.title
        );
        for test in &group.tests {
            let ours: Vec<String> = found
                .of(test)
                .map(|o| format!("[`{}`](../{})", o.function, o.path))
                .collect();
            let cell = match &test.why_not {
                Some(reason) => format!("cannot apply: {reason}"),
                None if ours.is_empty() => "missing".to_owned(),
                None => ours.join(", "),
            };
            let _ = writeln!(page, "| {} | {} | {cell} |", test.name, test.asserts);
        }
    }
    page
}

/// How many of each.
pub(super) fn summary(found: &Parity) -> String {
    let all = found.tests().count();
    let missing = found.missing().count();
    let reasons = found.tests().filter(|t| t.why_not.is_some()).count();
    let shown = all - missing - reasons;
    let mut text =
        format!("Of {all} tests, {shown} are asserted by ours and {reasons} cannot apply");
    if missing > 0 {
        let _ = write!(text, "; {missing} are missing");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{join, list, scan};
    use super::*;

    #[test]
    fn each_of_nodes_tests_has_one_line_that_says_what_became_of_it() {
        let list = "[g]\na/one | x\ntwo | y\n    why not: no\nthree | z\n";
        let rust = "/// node: one\n#[test]\nfn b() {}\n/// node: one\n#[test]\nfn a() {}\n";
        let source = scan::Source {
            path: "e2e/tests/t.rs".to_owned(),
            text: rust.to_owned(),
        };
        let found = join(list::parse(list).unwrap(), &[source]).unwrap();
        let page = markdown(&found);
        let lines: Vec<&str> = page.lines().filter(|l| l.starts_with("| ")).collect();
        assert_eq!(
            lines[1..],
            [
                "| a/one | x | [`a`](../e2e/tests/t.rs), [`b`](../e2e/tests/t.rs) |",
                "| two | y | cannot apply: no |",
                "| three | z | missing |",
            ]
        );
        assert!(
            page.contains("Of 3 tests, 1 are asserted by ours and 1 cannot apply; 1 are missing.")
        );
    }
}
