//! `tine scale`, and `tine reset`.

use crate::support::*;

#[test]
fn so_many_so_many_more_and_so_many_fewer() {
    let home = home();
    start(&home, &["app.sh"]);
    let first = home.pid("app");
    let cores = std::thread::available_parallelism().unwrap().get();
    for (word, count) in [
        ("3", 3),
        ("+2", 5),
        ("-1", 4),
        ("2", 2),
        ("max", cores),
        ("1", 1),
    ] {
        home.ok(["scale", "app", word]);
        assert_eq!(pids(&home, "app").len(), count, "{word}");
        assert_eq!(home.list().len(), count, "{word}");
        assert_eq!(home.workers().len(), count, "{word}");
    }
    // Those that have served for longest stay.
    assert_eq!(pids(&home, "app"), [first]);
}

#[test]
fn a_cluster_grows_and_shrinks_while_it_serves() {
    let home = Home::new();
    let script = fixture("http.js").display().to_string();
    home.ok(["start", &script, "-i", "1", "--name", "web"]);
    let load = tine_testkit::Load::new(home.port())
        .connections(2)
        .new_connection_each(true);
    let load = load.run_in_background();
    for word in ["+2", "-1", "1", "2"] {
        home.ok(["scale", "web", word]);
        load.wait_for_more(20, SECONDS);
    }
    load.stop().assert_no_failures();
    assert_eq!(pids(&home, "web").len(), 2);
}

#[test]
fn what_is_no_number_is_refused() {
    let home = home();
    start(&home, &["app.sh"]);
    for word in ["many", "", "1.5", "++1", "99999999999"] {
        let said = home.run(["scale", "app", word]).is(2);
        assert!(said.err.starts_with("error: "), "{said:?}");
    }
    home.refused(5, ["scale", "web", "2"]).says("web").hints();
    assert_eq!(statuses(&home), "app online");
}

#[test]
fn counters_of_restarts_can_be_set_back() {
    let home = home();
    start(&home, &["app.sh"]);
    start(&home, &["app.sh", "--name", "other"]);
    home.ok(["restart", "all"]);
    home.ok(["reset", "app"]);
    assert_eq!(home.process("app")["restarts"], 0);
    assert_eq!(home.process("other")["restarts"], 1);
    home.ok(["reset", "all"]);
    assert_eq!(home.process("other")["restarts"], 0);
    home.refused(5, ["reset", "web"]).says("web").hints();
}

#[test]
fn what_is_being_taken_away_does_not_count() {
    let home = home();
    home.write("slow.sh", "trap '' INT; while :; do sleep 0.2; done");
    start(&home, &["slow.sh", "-i", "4", "--kill-timeout", "2000"]);
    home.ok(["scale", "slow", "2", "--no-wait"]);
    home.ok(["scale", "slow", "4"]);
    home.wait_for("slow", "four of them", |_| {
        pids(&home, "slow").len() == 4 && home.list().len() == 4
    });
}
