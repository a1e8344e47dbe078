//! Malformed process files, in every form.

use std::time::Duration;

use crate::bystander::Bystander;
use crate::support::*;

/// Each of these files is refused by everything that reads one, and by a word of what is wrong.
#[track_caller]
fn refused(files: &[(&str, &[u8], &str)]) {
    let bystander = Bystander::new();
    let home = &bystander.home;
    let mut wrong = Vec::new();
    for (name, bytes, word) in files {
        home.write(name, bytes);
        for verb in ["start", "check", "apply", "restart"] {
            let said = home.run([verb, name]);
            let all = format!(
                "{}{}",
                said.err,
                if verb == "check" { &said.out } else { "" }
            );
            // A word of what is wrong, and of which file.
            let is_clear = all.contains("error: ") && all.contains(word) && all.contains(name);
            let is_calm = !all.contains("panicked") && said.took < Duration::from_secs(20);
            // A restart needs only the names of the apps.
            let code = said.code == 3 || verb == "restart" && said.code != 0;
            if !is_clear || !is_calm || !code {
                let shown: String = String::from_utf8_lossy(bytes).chars().take(80).collect();
                wrong.push(format!("{shown:?}: no {word:?} in {said:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    bystander.is_undisturbed();
}

#[test]
fn json() {
    refused(&[
        ("empty.json", b"", ""),
        ("torn.json", b"{\"apps\": [{\"name\": \"a\",", ":1"),
        ("torn2.json", b"{\n\"apps\": [}\n", ":2"),
        ("number.json", b"42", ""),
        ("text.json", b"\"app.sh\"", ""),
        ("null.json", b"null", ""),
        ("apps.json", b"{\"apps\": 5}", "apps"),
        ("element.json", b"{\"apps\": [5]}", "apps"),
        (
            "other.json",
            b"{\"applications\": [{\"script\": \"app.sh\"}]}",
            "apps",
        ),
        ("binary.json", b"\x00\xff\xfe\x01\x02\x80{}", ""),
        ("utf16.json", b"\xff\xfe{\x00}\x00", ""),
        (
            "twice.json",
            b"{\"apps\": [{\"script\": \"app.sh\", \"name\": \"a\"}]} trailing",
            "",
        ),
    ]);
}

#[test]
fn fields_of_the_wrong_type() {
    let files: Vec<(String, Vec<u8>, &str)> = [
        ("name", "5"),
        ("name", "\"\""),
        ("name", "\"all\""),
        ("name", "\"a\\nb\""),
        ("name", "\"a\\u0000b\""),
        ("namespace", "[]"),
        ("script", "[]"),
        ("script", "\"\""),
        ("script", "\"missing.sh\""),
        ("script", "\"a\\u0000b\""),
        ("args", "{\"a\": 1}"),
        ("args", "\"unclosed ' quote\""),
        ("instances", "\"many\""),
        ("instances", "1.5"),
        ("instances", "99999999999"),
        ("env", "\"A=1\""),
        ("env", "[1]"),
        ("env", "{\"A=B\": \"1\"}"),
        ("env", "{\"A\": \"x\\u0000y\"}"),
        ("kill_timeout", "\"soon\""),
        ("kill_timeout", "-1"),
        ("min_uptime", "\"5 parsecs\""),
        ("max_restarts", "\"x\""),
        ("max_restarts", "-1"),
        ("autorestart", "\"maybe\""),
        ("exec_mode", "\"threads\""),
        ("balance", "\"random\""),
        ("stop_signal", "\"SIGNONE\""),
        ("stop_exit_codes", "[300]"),
        ("stop_exit_codes", "[\"x\"]"),
        ("cwd", "\"/no/such/folder\""),
        ("cwd", "5"),
        ("interpreter", "\"no-such-program\""),
        ("interpreter", "5"),
        ("port", "70000"),
        ("log_type", "\"xml\""),
        ("listen_timeout", "\"x\""),
        ("filter_env", "5"),
        ("watch", "true"),
        ("cron_restart", "\"* * * * *\""),
        ("max_memory_restart", "\"1G\""),
        ("trace", "true"),
    ]
    .iter()
    .enumerate()
    .map(|(number, (field, value))| {
        let mut app = json!({"name": "a", "script": "app.sh"});
        app[field] = serde_json::from_str(value).unwrap();
        let text = json!({"apps": [app]}).to_string();
        (format!("field{number}.json"), text.into_bytes(), *field)
    })
    .collect();
    let files: Vec<(&str, &[u8], &str)> = files
        .iter()
        .map(|(name, bytes, word)| (name.as_str(), bytes.as_slice(), *word))
        .collect();
    let bystander = Bystander::new();
    let home = &bystander.home;
    let mut wrong = Vec::new();
    for (name, bytes, word) in files {
        home.write(name, bytes);
        let said = home.run(["start", name]);
        let is_clear = said.err.contains("error: ") && said.err.contains(word);
        // What to do about it, if it does not go without saying.
        let helps = said.err.contains("hint: ") || said.err.contains(": expected ");
        if !is_clear || !helps || said.code != 3 {
            wrong.push(format!("{}: {said:?}", String::from_utf8_lossy(bytes)));
            let _ = home.run(["delete", "a"]);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    bystander.is_undisturbed();
}

#[test]
fn two_apps_of_one_name() {
    let bystander = Bystander::new();
    bystander.home.write(
        "twice.json",
        r#"[{"name": "a", "script": "app.sh"}, {"name": "a", "script": "app.py"}]"#,
    );
    bystander
        .home
        .refused(3, ["start", "twice.json"])
        .says("\"a\"")
        .hints();
    bystander.is_undisturbed();
}

#[test]
fn unknown_keys_are_a_warning_with_the_nearest_known_one() {
    let home = home();
    home.write(
        "apps.json",
        "{\"apps\": [\n{\"name\": \"a\", \"script\": \"app.sh\",\n\"max_restart\": 1,\n\"zzzzzz\": 2}]}",
    );
    let said = home.ok(["start", "apps.json"]);
    for word in ["max_restart", "max_restarts", "zzzzzz", ":3", ":4"] {
        assert!(said.err.contains(word), "{word}: {}", said.err);
    }
    assert!(said.err.contains("warning"), "{}", said.err);
}

#[test]
fn yaml_and_toml_and_json5() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
        c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n\
        e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
        g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\napps: *h\n";
    let deep = "[".repeat(100_000);
    refused(&[
        ("empty.yaml", b"", ""),
        ("tab.yaml", b"apps:\n\t- name: a\n", ":2"),
        ("open.yaml", b"apps: [", ""),
        (
            "type.yaml",
            b"apps:\n  - name: a\n    script: app.sh\n    instances: many\n",
            "instances",
        ),
        ("bomb.yaml", bomb.as_bytes(), ""),
        ("deep.yaml", deep.as_bytes(), ""),
        ("deep.json", deep.as_bytes(), ""),
        ("deep.json5", deep.as_bytes(), ""),
        ("binary.yaml", b"\x00\xff\xfe\x01", ""),
        ("one/tine.toml", b"[[apps]\nname = 'a'", ":1"),
        ("two/tine.toml", b"[[apps]]\nname = 'a'\nname = 'b'\n", ":3"),
        (
            "three/tine.toml",
            b"[[apps]]\nname = 'a'\nscript = 'app.sh'\ninstances = 'many'\n",
            "instances",
        ),
        ("four/tine.toml", b"\x00\xff\xfe\x01", ""),
        ("syntax.json5", b"{ apps: [ { name: 'a' ", ""),
    ]);
}

#[test]
fn javascript_that_does_not_work() {
    refused(&[
        ("syntax.config.js", b"module.exports = {", "SyntaxError"),
        (
            "throws.config.js",
            b"throw new Error('not today')",
            "not today",
        ),
        ("nothing.config.js", b"", ""),
        ("number.config.js", b"module.exports = 5", ""),
        (
            "circular.config.js",
            b"const a = {}; a.apps = [a]; module.exports = a",
            "",
        ),
        ("exits.config.js", b"process.exit(0)", ""),
        (
            "requires.config.js",
            b"require('no-such-module')",
            "no-such-module",
        ),
        (
            "rejects.config.mjs",
            b"await Promise.reject(new Error('never mind'))",
            "never mind",
        ),
        ("none.config.mjs", b"const a = 1", ""),
        ("binary.config.js", b"\x00\xff\xfe\x01", ""),
    ]);
}

#[test]
fn javascript_that_does_not_end() {
    let bystander = Bystander::new();
    let home = &bystander.home;
    home.write("loop.config.js", "for (;;) {}");
    home.write(
        "waits.config.mjs",
        "setInterval(() => {}, 1000); await new Promise(() => {})",
    );
    home.write("writes.config.js", "for (;;) console.log('x'.repeat(1e6))");
    std::thread::scope(|scope| {
        for file in ["loop.config.js", "waits.config.mjs", "writes.config.js"] {
            scope.spawn(move || {
                let said = home.refused(3, ["start", file]).says(file).hints();
                assert!(said.took < Duration::from_secs(40), "{:?}", said.took);
                assert!(said.err.len() < 2 << 20, "{} bytes", said.err.len());
            });
        }
    });
    bystander.is_undisturbed();
}

#[test]
fn files_that_are_no_files() {
    let bystander = Bystander::new();
    let home = &bystander.home;
    std::fs::create_dir(home.folder().join("folder.json")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", home.folder().join("endless.json")).unwrap();
    std::os::unix::fs::symlink("nowhere", home.folder().join("broken.json")).unwrap();
    rustix_fifo(&home.folder().join("fifo.json"));
    home.write("huge.json", vec![b' '; 64 << 20]);
    for name in [
        "folder.json",
        "endless.json",
        "broken.json",
        "fifo.json",
        "huge.json",
        "missing.json",
    ] {
        let said = home.refused(3, ["start", name]).says(name);
        assert!(said.took < Duration::from_secs(20), "{said:?}");
    }
    bystander.is_undisturbed();
}

fn rustix_fifo(path: &std::path::Path) {
    let made = std::process::Command::new("mkfifo")
        .arg(path)
        .status()
        .unwrap();
    assert!(made.success());
}

#[test]
fn standard_input() {
    let bystander = Bystander::new();
    for bytes in [
        &b""[..],
        b"nonsense",
        b"{\"apps\": ",
        b"\x00\xff",
        &vec![b'['; 1 << 20],
    ] {
        bystander
            .home
            .call(["start", "-"])
            .stdin(bytes)
            .run()
            .is_error(3);
    }
    bystander.is_undisturbed();
}

#[test]
fn mutations_of_a_good_file() {
    let bystander = Bystander::new();
    let home = &bystander.home;
    let good = "{\"apps\": [{\"name\": \"a\", \"script\": \"app.sh\", \"env\": {\"A\": \"1\"}, \"instances\": 2}]}";
    let mut random = Random::new();
    for _ in 0..150 {
        let mut bytes = good.as_bytes().to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            match random.below(3) {
                0 => bytes[at] = random.below(256).try_into().unwrap(),
                1 if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(1)),
            }
        }
        home.write("mutant.json", &bytes);
        let said = home.run(["check", "mutant.json"]);
        let shown = String::from_utf8_lossy(&bytes);
        assert!([0, 3].contains(&said.code), "{shown:?}: {said:?}");
        assert!(!said.err.contains("panicked"), "{shown:?}: {said:?}");
    }
    bystander.is_undisturbed();
}
