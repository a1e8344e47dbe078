//! Process trees end as a whole.

use crate::support::*;

/// Waits for the number that a program has written into a file.
#[track_caller]
fn number_in(home: &Home, file: &str) -> u32 {
    until(&format!("a number in {file}"), SECONDS, || {
        home.read(file).trim().parse()
    })
}

#[test]
fn the_children_of_a_shell_end_with_it() {
    let home = home();
    home.write(
        "tree.sh",
        "sleep 1000 & echo $! > one\nsh -c 'sleep 1001; :' & echo $! > two\nwait\n",
    );
    start(&home, &["tree.sh"]);
    let top = home.pid("tree");
    number_in(&home, "two");
    let below = until("three below", SECONDS, || {
        Some(process::descendants(top)).filter(|below| below.len() == 3)
    });
    home.ok(["stop", "tree"]);
    for pid in below.into_iter().chain([top]) {
        assert!(!process::is_alive(pid), "{pid}");
    }
}

#[test]
fn a_grandchild_that_ignores_the_signal_is_killed() {
    let home = home();
    home.write(
        "tree.sh",
        "sh -c 'trap \"\" INT TERM; echo $$ > stubborn; while :; do sleep 1; done' &\nwait\n",
    );
    start(&home, &["tree.sh", "--kill-timeout", "300"]);
    let stubborn = number_in(&home, "stubborn");
    home.ok(["stop", "tree"]);
    assert!(!process::is_alive(stubborn));
}

#[test]
fn an_orphan_that_has_left_the_tree_is_ended_with_the_app() {
    let home = home();
    home.write(
        "tree.sh",
        "(sh -c 'echo $$ > orphan; exec sleep 1000' &)\nexec sleep 1000\n",
    );
    start(&home, &["tree.sh"]);
    let orphan = number_in(&home, "orphan");
    home.ok(["stop", "tree"]);
    assert!(!process::is_alive(orphan));
}

#[test]
fn what_a_crashed_process_leaves_behind_ends_before_the_next_begins() {
    let home = home();
    home.write("tree.sh", "sleep 1000 & echo $! >> children\nwait\n");
    start(&home, &["tree.sh"]);
    let child = number_in(&home, "children");
    process::signal(home.pid("tree"), Signal::KILL).unwrap();
    home.wait_for("tree", "a second generation", |process| {
        process["generation"] == 2 && process["status"] == "online"
    });
    wait_gone(child);
}

#[test]
fn without_treekill_the_children_are_left_alone() {
    let home = home();
    home.write("tree.sh", "sleep 1000 & echo $! > child\necho up\nwait\n");
    start(&home, &["tree.sh", "--no-treekill"]);
    let child = number_in(&home, "child");
    let (top, began) = (home.pid("tree"), process::stat(child).unwrap());
    home.ok(["stop", "tree"]);
    assert!(!process::is_alive(top));
    assert!(process::is_alive(child), "the child was ended too");
    assert!(process::stat(child).unwrap().is_same(began));
    process::signal(child, Signal::KILL).unwrap();
}

#[test]
fn a_detached_child_of_node_is_ended_with_its_app() {
    let home = Home::new();
    home.ok([
        "start",
        &fixture("grandchild.js").display().to_string(),
        "--name",
        "web",
    ]);
    let body = home.get("/").unwrap().text();
    let child: u32 = body.trim().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(process::is_alive(child));
    home.ok(["delete", "web"]);
    assert!(!process::is_alive(child));
}
