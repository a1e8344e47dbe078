//! `docs/node-parity.md` is what the tests say, and no test of Node's is without an answer.
#![allow(clippy::disallowed_methods, reason = "runs the chore itself")]
#![allow(clippy::unwrap_used, reason = "a test may")]

#[test]
fn the_table_of_nodes_tests_is_complete_and_as_committed() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["parity", "--check"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
