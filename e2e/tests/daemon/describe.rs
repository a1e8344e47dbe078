//! `tine describe`, `env`, `id` and `pid`.

use crate::support::*;

#[test]
fn everything_known_is_shown_and_no_secret() {
    let home = home();
    home.write(
        "apps.json",
        r#"[{"name": "web", "script": "app.sh", "env": {"TOKEN": "hidden-value"}}]"#,
    );
    start(&home, &["apps.json"]);
    let pid = home.pid("web").to_string();
    for verb in ["describe", "desc", "info", "show"] {
        let text = home.ok([verb, "web"]).out;
        for word in [
            "web (id 0)",
            "online",
            &pid,
            "app.sh",
            "web-out.log",
            "web-0.pid",
            "TOKEN",
        ] {
            assert!(text.contains(word), "{verb}: {word}: {text}");
        }
        assert!(!text.contains("hidden-value"), "{text}");
    }
    let json = home.ok(["describe", "0", "--json"]).json();
    assert_eq!(json["processes"][0]["name"], "web");
    assert_eq!(json["apps"]["web"]["spec"]["name"], "web");
}

#[test]
fn how_it_ended_is_shown_with_its_last_lines() {
    let home = home();
    home.write("ends.sh", "echo the reason >&2; exit 42");
    home.run(["start", "ends.sh", "--max-restarts", "2"]).is(1);
    home.wait_status("ends", "errored");
    let text = home.ok(["describe", "ends"]).out;
    assert!(
        text.contains("exit code 42") && text.contains("| the reason"),
        "{text}"
    );
    assert!(text.contains("2 times"), "{text}");
}

#[test]
fn a_cluster_has_its_policy_and_its_port() {
    let home = Home::new();
    let script = fixture("http.js").display().to_string();
    home.ok([
        "start",
        &script,
        "--name",
        "web",
        "-i",
        "2",
        "--balance",
        "rr",
    ]);
    let text = home.ok(["describe", "web"]).out;
    assert!(
        text.contains("rr") && text.contains(&home.port().to_string()),
        "{text}"
    );
}

#[test]
fn the_environment_of_a_process_is_as_it_was_given() {
    let home = home();
    home.call([&["start", "app.sh"][..], &QUICK].concat())
        .env("FRUIT", "pear")
        .run()
        .is(0);
    for target in ["0", "app"] {
        let text = home.ok(["env", target]).out;
        assert!(text.lines().any(|line| line == "FRUIT: pear"), "{text}");
    }
    assert_eq!(home.ok(["env", "0", "--json"]).json()["FRUIT"], "pear");
    home.refused(5, ["env", "9"]).hints();
}

#[test]
fn ids_and_numbers_can_be_read_by_scripts() {
    let home = home();
    assert_eq!(home.ok(["id", "web"]).out, "[]\n");
    start(&home, &["app.sh", "-i", "2"]);
    assert_eq!(home.ok(["id", "app"]).out, "[ 0, 1 ]\n");
    assert_eq!(home.ok(["id", "app", "--json"]).json(), json!([0, 1]));
    let of_app = pids(&home, "app");
    let text = format!("{}\n{}\n", of_app[0], of_app[1]);
    assert_eq!(home.ok(["pid", "app"]).out, text);
    assert_eq!(home.ok(["pid", "app", "--json"]).json(), json!(of_app));
    home.ok(["stop", "1"]);
    assert_eq!(home.ok(["pid", "app"]).out, format!("{}\n0\n", of_app[0]));
    let daemon: u32 = home.ok(["pid"]).out.trim().parse().unwrap();
    assert!([home.keeper(), home.brain()].contains(&daemon));
}

#[test]
fn nobody_of_this_name() {
    let home = home();
    home.refused(5, ["describe", "web"]).hints();
    start(&home, &["app.sh"]);
    home.refused(5, ["describe", "web"]).says("web").hints();
}
