//! Does docs/pm2.md tell the differences that the cases are allowed?

use crate::cases;
use crate::differences::Difference;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

const BEGIN: &str = "<!-- the differences that the tests allow: e2e/tests/pm2/differences.rs -->\n";
const END: &str = "<!-- end -->\n";

/// As it stands in the document.
fn table() -> String {
    let mut text = String::from("| | PM2 7 | tine | because |\n|---|---|---|---|\n");
    for one in Difference::ALL {
        let it = one.text();
        let _ = writeln!(
            text,
            "| **{}** | {} | {} | {} |",
            it.what, it.pm2, it.tine, it.why
        );
    }
    text
}

#[test]
fn the_document_has_the_differences_that_the_cases_are_allowed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pm2.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the begin of the list");
    let (list, after) = rest.split_once(END).expect("the end of the list");
    let wanted = table();
    if env::var_os("TINE_WRITE_DOCS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(
        list, wanted,
        "docs/pm2.md differs from e2e/tests/pm2/differences.rs\n\
         hint: TINE_WRITE_DOCS=1 cargo test -p e2e --test pm2 document"
    );
}

#[test]
fn each_difference_is_shown_by_a_case() {
    let cases = cases::ALL.iter().copied().flatten();
    let mut shown: BTreeSet<Difference> = Difference::EVERYWHERE.iter().copied().collect();
    shown.extend(cases.flat_map(|case| case.differs).map(|one| one.why));
    for one in Difference::ALL {
        assert!(shown.contains(one), "no case shows {one:?}");
    }
    for one in shown {
        assert!(Difference::ALL.contains(&one), "{one:?} is not in the list");
    }
}
