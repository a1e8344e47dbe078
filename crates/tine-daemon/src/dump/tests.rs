#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use super::*;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;
use tine_control::app::ExecMode;
use tine_rules::Instances;

struct World {
    _folder: tempfile::TempDir,
    home: Home,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path()).unwrap();
    World {
        _folder: folder,
        home,
    }
}

fn app(name: &str, statuses: &[ProcessStatus]) -> DumpedApp {
    let mut spec = AppSpec::new(name, "/srv/app.js", "/srv");
    spec.env.insert("SECRET".into(), "s3".into());
    let slots = statuses.iter().zip(0..).map(|(status, slot)| DumpedSlot {
        slot,
        id: Some(slot + 10),
        status: *status,
    });
    DumpedApp {
        spec,
        slots: slots.collect(),
    }
}

fn dump(names: &[&str]) -> Dump {
    let each = names
        .iter()
        .map(|name| app(name, &[ProcessStatus::Online, ProcessStatus::Stopped]));
    Dump::new(1_763_820_001_000, each.collect())
}

#[test]
fn what_is_saved_is_read_again_and_is_for_its_owner_alone() {
    let world = world();
    let saved = dump(&["web", "job"]);
    let path = saved.write(&world.home).unwrap();
    assert_eq!(path, world.home.dump());
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(Dump::read(&world.home).unwrap(), saved);
    assert_eq!(saved.processes(), 4);
    assert!(saved.apps[0].slots[0].is_to_run());
    assert!(!saved.apps[0].slots[1].is_to_run());
}

#[test]
fn the_one_before_is_kept_and_saving_the_same_twice_does_not_lose_it() {
    let world = world();
    let old_path = old(&world.home.dump());
    dump(&["one"]).write(&world.home).unwrap();
    assert!(!old_path.exists());
    let mut two = dump(&["two"]);
    two.write(&world.home).unwrap();
    two.saved += 1;
    two.write(&world.home).unwrap();
    assert_eq!(read(&old_path).unwrap(), dump(&["one"]));
    assert_eq!(fs::metadata(&old_path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(Dump::read(&world.home).unwrap(), two);
    // And clearing keeps it too.
    Dump::clear(&world.home).unwrap();
    Dump::clear(&world.home).unwrap();
    assert!(matches!(
        Dump::read(&world.home).unwrap_err(),
        DumpError::Missing { .. }
    ));
    assert_eq!(read(&old_path).unwrap(), two);
}

#[test]
fn torn_anywhere_it_is_an_error_that_names_the_place_and_the_one_before() {
    let world = world();
    dump(&["one"]).write(&world.home).unwrap();
    dump(&["two"]).write(&world.home).unwrap();
    let whole = fs::read(world.home.dump()).unwrap();
    for length in 0..whole.len() {
        fs::write(world.home.dump(), &whole[..length]).unwrap();
        let error = Dump::read(&world.home).unwrap_err();
        assert!(matches!(error, DumpError::Malformed { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("dump.json") && text.contains(" line "),
            "{text}"
        );
        assert!(error.hint().contains("dump.json.old"), "{}", error.hint());
    }
    // Saving then neither needs it, nor makes it the old one, nor destroys it.
    dump(&["three"]).write(&world.home).unwrap();
    assert_eq!(read(&old(&world.home.dump())).unwrap(), dump(&["one"]));
    let aside = world.home.folder().join("dump.json.broken-1");
    assert_eq!(fs::read(aside).unwrap(), whole[..whole.len() - 1]);
}

#[test]
fn what_is_no_dump_of_ours_is_refused() {
    let world = world();
    let refuse = |text: &str| {
        fs::write(world.home.dump(), text).unwrap();
        Dump::read(&world.home).unwrap_err()
    };
    let newer = refuse(r#"{"tine":"dump","version":2,"what":"ever"}"#);
    assert!(
        matches!(newer, DumpError::Newer { version: 2, .. }),
        "{newer}"
    );
    let other = refuse(r#"{"tine":"state","version":1}"#);
    assert!(other.to_string().contains("\"state\""), "{other}");
    let bad = refuse(
        r#"{"tine":"dump","version":1,"saved":1,"apps":[
            {"spec":{"name":"a","script":"a.js","cwd":"/"},"slots":[]}]}"#,
    );
    assert!(bad.to_string().contains("script"), "{bad}");
    assert!(matches!(refuse("[]"), DumpError::Malformed { .. }));
}

/// As the first release writes it. This file never changes; later ones are put beside it.
const VERSION_1: &str = include_str!("../../tests/fixtures/dump-1.json");

#[test]
fn dumps_of_every_release_are_read() {
    let world = world();
    fs::write(world.home.dump(), VERSION_1).unwrap();
    let read = Dump::read(&world.home).unwrap();
    assert_eq!(read.saved, 1_763_820_001_000);
    let web = &read.apps[0];
    assert_eq!(web.spec.name, "web");
    assert_eq!(web.spec.exec_mode, ExecMode::Cluster);
    assert_eq!(web.spec.kill_timeout, Duration::from_millis(5000));
    let statuses: Vec<_> = web.slots.iter().map(|slot| slot.status).collect();
    assert_eq!(
        statuses,
        [ProcessStatus::Online, ProcessStatus::WaitingRestart]
    );
    // What a later release has added is passed over.
    assert_eq!(read.apps[1].spec.interpreter.as_deref(), Some("python3"));
}

fn by_name(imported: &Imported) -> BTreeMap<&str, &DumpedApp> {
    let each = imported.apps.iter();
    each.map(|app| (app.spec.name.as_str(), app)).collect()
}

const OF_PM2: &str = include_str!("../../tests/fixtures/dump.pm2");

#[test]
fn a_dump_of_pm2_becomes_apps() {
    let imported = import_pm2(OF_PM2).unwrap();
    let apps = by_name(&imported);
    let names: Vec<&str> = apps.keys().copied().collect();
    assert_eq!(names, ["cli", "job", "py", "web"]);

    let web = apps["web"];
    assert_eq!(
        web.spec.instances,
        Instances::Exactly(NonZeroUsize::new(2).unwrap())
    );
    assert_eq!(web.spec.exec_mode, ExecMode::Cluster);
    assert_eq!(web.spec.interpreter.as_deref(), Some("node"));
    assert_eq!(web.spec.interpreter_args, ["--max-old-space-size=100"]);
    assert_eq!(web.spec.args, ["--a", "b c"]);
    assert_eq!(web.spec.min_uptime, Duration::from_secs(5));
    assert_eq!(web.spec.kill_timeout, Duration::from_secs(3));
    // What was chosen stays, without the id that PM2 puts in; the rest is ours.
    assert_eq!(
        web.spec.out_file.as_deref(),
        Some(Path::new("/srv/demo/web-out.log"))
    );
    assert_eq!(web.spec.error_file, None);
    assert_eq!(web.spec.pid_file, None);
    assert_eq!(web.spec.env.get("COLOR").map(String::as_str), Some("red"));
    assert!(web.spec.inherited_env.contains_key("PATH"));
    for name in [
        "PM2_HOME",
        "PM2_USAGE",
        "unique_id",
        "web",
        "NODE_APP_INSTANCE",
    ] {
        assert!(!web.spec.environment().contains_key(name), "{name}");
    }
    assert_eq!(web.slots.len(), 2);
    assert!(
        web.slots
            .iter()
            .all(|slot| slot.status == ProcessStatus::Online)
    );

    let job = apps["job"];
    assert_eq!(job.spec.namespace, "jobs");
    assert_eq!(job.spec.interpreter, None);
    assert_eq!(job.spec.script, Path::new("/usr/bin/sleep"));
    assert_eq!(job.spec.stop_exit_codes, [0, 3]);
    assert!(!job.spec.autorestart);
    assert_eq!(
        job.spec.exp_backoff_restart_delay,
        Some(Duration::from_millis(100))
    );
    assert_eq!(job.slots[0].status, ProcessStatus::Stopped);

    assert_eq!(apps["py"].spec.max_restarts, 5);
    assert_eq!(apps["py"].spec.uid.as_deref(), Some("0"));
    assert_eq!(apps["cli"].spec.args, ["x", "y"]);

    // What is not there yet is told, once for each app.
    assert_eq!(imported.warnings.len(), 2, "{:?}", imported.warnings);
    assert!(imported.warnings[0].starts_with("web: max_memory_restart is left out"));
    assert!(imported.warnings[1].starts_with("job: cron_restart is left out"));
    // All of it can be saved and read again.
    let world = world();
    let dump = Dump::new(1, imported.apps);
    dump.write(&world.home).unwrap();
    assert_eq!(Dump::read(&world.home).unwrap(), dump);
}

#[test]
fn what_is_odd_in_a_dump_of_pm2_is_told_and_the_rest_taken() {
    let text = r#"[
        {"name": "a", "pm_exec_path": "/x/a.js", "pm_cwd": "/x"},
        {"name": "a", "pm_exec_path": "/y/a.js", "pm_cwd": "/y", "max_restarts": "7"},
        {"name": "b"},
        {"name": "c", "pm_exec_path": "relative.js", "pm_cwd": "/x"},
        {"name": "m", "pm_exec_path": "/m.js", "pm_cwd": "/", "pmx_module": true}
    ]"#;
    let imported = import_pm2(text).unwrap();
    let apps = by_name(&imported);
    assert_eq!(apps.keys().copied().collect::<Vec<_>>(), ["a", "a-2"]);
    assert_eq!(apps["a-2"].spec.max_restarts, 7);
    let warnings = imported.warnings.join("\n");
    for part in [
        "now called a-2",
        "pm_exec_path",
        "relative",
        "module of PM2",
    ] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
    for text in ["", "{}", "[1]", "[{]"] {
        assert!(import_pm2(text).is_err(), "{text}");
    }
    assert_eq!(import_pm2("[]").unwrap().apps, []);
}
