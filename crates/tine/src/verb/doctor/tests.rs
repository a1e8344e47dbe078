#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use super::*;
use std::collections::BTreeSet;

#[test]
fn this_machine_is_examined_whole() {
    let findings = examine();
    let keys: BTreeSet<&str> = findings.iter().map(|it| it.key).collect();
    assert_eq!(keys.len(), findings.len(), "a key occurs twice");
    for key in [
        "kernel",
        "pidfd",
        "reuseport",
        "ebpf",
        "seccomp_notify",
        "tcp_migrate_req",
        "ptrace_scope",
        "clock",
        "nofile",
        "nproc",
        "somaxconn",
        "inotify",
        "cgroup",
        "container",
        "home",
        "node",
        "python3",
    ] {
        assert!(keys.contains(key), "{key}");
    }
    for finding in &findings {
        assert!(!finding.found.is_empty(), "{finding:?}");
        // What is not good is explained.
        if finding.state > State::Known {
            assert!(
                !finding.effect.is_empty() && !finding.remedy.is_empty(),
                "{finding:?}"
            );
        }
    }
}

#[test]
fn the_table_is_aligned_and_remedies_are_below_what_they_heal() {
    let findings = [
        Finding::good("a", "first", "fine"),
        Finding::limited("b", "the second", "small")
            .effect("less goes")
            .remedy("raise it"),
        Finding::known("c", "third", "so").remedy("not shown"),
    ];
    let expected = "\
ok       first       fine
limited  the second  small
                     less goes
                     fix: raise it
-        third       so

All that is needed is there; limited: 1.
";
    assert_eq!(render(&findings, Styles::plain()), expected);
    assert_eq!(worst(&findings), State::Limited);
    let bad = [Finding::bad("x", "x", "y")];
    assert!(render(&bad, Styles::plain()).ends_with("fixed: 1; limited: 0.\n"));
    let good = render(&findings[..1], Styles::plain());
    assert!(good.ends_with("\nAll is as it should be.\n"));
}

#[test]
fn the_answer_for_programs_has_the_same_facts() {
    let findings = [Finding::limited("b", "second", "small").remedy("raise it")];
    let answer = Answer {
        tine: "1",
        state: worst(&findings),
        findings: &findings,
    };
    let expected = serde_json::json!({
        "tine": "1", "state": "limited",
        "findings": [{"key": "b", "name": "second", "state": "limited", "found": "small",
            "remedy": "raise it"}],
    });
    assert_eq!(serde_json::to_value(&answer).unwrap(), expected);
}
