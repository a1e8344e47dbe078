//! Process files in JavaScript and TypeScript, evaluated by the real runtimes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod world;

use std::time::{Duration, Instant};
use tine_config::{LoadOptions, Loaded, Problems, Source};
use tine_testkit::Runtime;
use world::World;

/// With just this runtime in the `PATH`.
fn with(runtime: Runtime) -> World {
    let world = World::with_path(runtime.path().parent().unwrap().to_str().unwrap());
    world.put("app.sh", "#!/bin/sh\n");
    world
}

/// An app that any machine can run.
const APP: &str = "{ name: 'web', script: './app.sh', interpreter: '/bin/sh', env: { A: 1 } }";

fn is_the_app(loaded: Result<Loaded, Problems>, what: &str) {
    match loaded {
        Ok(loaded) => {
            assert_eq!(loaded.apps.len(), 1, "{what}");
            assert_eq!(loaded.apps[0].name, "web", "{what}");
            assert_eq!(loaded.apps[0].env["A"], "1", "{what}");
            assert_eq!(loaded.warnings, [], "{what}");
        }
        Err(problems) => panic!("{what}: {problems}"),
    }
}

#[test]
fn every_runtime_evaluates_every_way_to_export() {
    for runtime in Runtime::ALL {
        let world = with(runtime);
        for (name, text) in [
            (
                "a.config.js",
                format!("module.exports = {{ apps: [{APP}] }}"),
            ),
            ("a.config.cjs", format!("exports.apps = [{APP}]")),
            (
                "b.config.cjs",
                format!("module.exports = () => ({{ apps: [{APP}] }})"),
            ),
            (
                "c.config.cjs",
                format!("module.exports = async () => [{APP}]"),
            ),
            (
                "d.config.cjs",
                format!("module.exports = Promise.resolve({APP})"),
            ),
            (
                "e.config.cjs",
                format!("exports.__esModule = true; exports.default = {{ apps: [{APP}] }}"),
            ),
            (
                "a.config.mjs",
                format!("export default {{ apps: [{APP}] }}"),
            ),
            (
                "b.config.mjs",
                format!("export const apps = [{APP}]; export const deploy = undefined"),
            ),
            (
                "c.config.mjs",
                format!("const app = await {APP}; export default async () => ({{ apps: [app] }})"),
            ),
            (
                "noisy.config.cjs",
                format!(
                    "console.log('hello'); process.stdout.write('x\\n'); setInterval(() => {{}}, 1000);\
                     module.exports = {{ apps: [{APP}] }}"
                ),
            ),
            (
                "long.config.cjs",
                format!(
                    "const app = {APP}; app.env.LONG = 'x'.repeat(1 << 20); module.exports = [app]"
                ),
            ),
        ] {
            is_the_app(
                world.file(name, &text),
                &format!("{} {name}", runtime.name()),
            );
        }
    }
}

#[test]
fn a_file_can_require_its_neighbours_and_read_the_shell() {
    let mut world = with(Runtime::Node20);
    world
        .around
        .env
        .insert("COLOUR".to_owned(), "blue".to_owned());
    world
        .around
        .env
        .insert("NODE_CHANNEL_FD".to_owned(), "3".to_owned());
    world.put("base.js", &format!("module.exports = {APP}"));
    let loaded = world.file(
        "a.config.js",
        "const base = require('./base'); const path = require('path');\n\
         module.exports = [{ ...base, name: path.basename(__dirname), args: process.env.COLOUR, \
         namespace: String(process.env.NODE_CHANNEL_FD), \
         env: { WHERE: process.cwd(), GONE: undefined, KEY: process.env.NO_SUCH } }]",
    );
    let app = loaded.unwrap().apps.remove(0);
    assert_eq!(
        (app.name.as_str(), app.namespace.as_str()),
        ("app", "undefined")
    );
    assert_eq!(app.args, ["blue"]);
    assert_eq!(app.env["WHERE"], world.cwd().to_str().unwrap());
    assert_eq!(app.env.len(), 1);
}

#[test]
fn typescript_is_evaluated_where_a_runtime_can() {
    let text =
        format!("type Port = number; const port: Port = 1; export default {{ apps: [{APP}] }}");
    for runtime in [
        Runtime::Bun,
        Runtime::Deno,
        Runtime::Node24,
        Runtime::Node26,
    ] {
        let world = with(runtime);
        is_the_app(world.file("a.config.ts", &text), runtime.name());
    }
    let said = with(Runtime::Node20)
        .file("a.config.ts", &text)
        .unwrap_err()
        .to_string();
    assert!(said.contains("needs Bun, Node.js 22.18 or Deno"), "{said}");
}

#[test]
fn what_json_would_leave_out_is_named() {
    let world = with(Runtime::Node20);
    let loaded = world.file(
        "a.config.js",
        "module.exports = [{ name: 'web', script: './app.sh',\n  instances: Number('x'),\n\
         args: () => 1, env: { F: Symbol('x'), BIG: 10n } }]",
    );
    let said = loaded.unwrap_err().to_string();
    for words in [
        "a.config.js:2: app web: instances: expected a number of instances, or \"max\", found NaN",
        "a.config.js:3: app web: args: expected a text or a list of texts, found a function",
        "env.F: expected a text, found a symbol",
    ] {
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn what_goes_wrong_in_a_file_is_told_with_its_place() {
    let world = with(Runtime::Node20);
    for (name, text, place, words) in [
        (
            "a.config.js",
            "\nmodule.exports = {\n apps: [nobody] }",
            ":3:9: ",
            "ReferenceError: nobody is not defined",
        ),
        (
            "b.config.js",
            "\n\nmodule.exports = {{",
            ":3: ",
            "SyntaxError",
        ),
        (
            "c.config.mjs",
            "throw new Error('on purpose')",
            ":1:7: ",
            "Error: on purpose",
        ),
        (
            "d.config.js",
            "require('no-such-package')",
            ":1:1: ",
            "npm install",
        ),
        (
            "e.config.js",
            "throw 'just a text'",
            ": ",
            "evaluating it: just a text",
        ),
        ("f.config.js", "throw null", ": ", "evaluating it: null"),
        (
            "g.config.js",
            "process.exit(7)",
            ": ",
            "exit code 7 before it had been read",
        ),
        (
            "h.config.js",
            "module.exports = undefined",
            ": ",
            "it exports nothing",
        ),
        (
            "i.config.js",
            "module.exports = 3",
            ": ",
            "expected an object with `apps`, found the number 3",
        ),
        (
            "j.config.js",
            "module.exports = {}",
            ": ",
            "it has no `apps`",
        ),
        (
            "k.config.js",
            "const a = {}; a.a = a; module.exports = a",
            ": ",
            "circular",
        ),
        (
            "l.config.js",
            "module.exports = Promise.reject(new Error('late'))",
            ":",
            "late",
        ),
        (
            "m.config.js",
            "module.exports = { get apps() { throw new Error('got') } }",
            ":",
            "got",
        ),
        (
            "n.config.js",
            "process.kill(process.pid, 'SIGKILL')",
            ": ",
            "signal SIGKILL",
        ),
        (
            "o.config.js",
            "module.exports = 'x'.repeat(9 << 20)",
            ": ",
            "exports more than",
        ),
        (
            "p.config.js",
            "require('fs').writeSync(3, 'rubbish'); module.exports = []",
            ": ",
            "something else than JSON",
        ),
    ] {
        let said = world.file(name, text).unwrap_err().to_string();
        let start = format!("{name}{place}");
        assert!(said.starts_with(&start), "{name}: {said}");
        assert!(said.contains(words), "{name}: {said}");
        assert!(said.contains("\nhint: "), "{name}: {said}");
        // Nothing of how it is evaluated.
        assert!(!said.contains("[eval"), "{name}: {said}");
    }
}

#[test]
fn the_two_kinds_of_modules_are_told_apart() {
    for runtime in Runtime::NODES {
        let world = with(runtime);
        let exported = world.file("a.config.js", "export default {}");
        let said = exported.unwrap_err().to_string();
        // Newer ones see by themselves that it is a module.
        let advised = said.contains("hint: call it `*.config.mjs`");
        assert!(
            advised || said.contains("it has no `apps`"),
            "{}: {said}",
            runtime.name()
        );
        world.put("package.json", "{\"type\": \"module\"}");
        let text = format!("module.exports = [{APP}]");
        let said = world.file("b.config.js", &text).unwrap_err().to_string();
        assert!(
            said.contains("hint: call it `*.config.cjs`"),
            "{}: {said}",
            runtime.name()
        );
    }
}

#[test]
fn a_file_that_does_not_end_is_ended() {
    for (runtime, text) in [
        (Runtime::Node20, "while (true) {}"),
        (Runtime::Bun, "while (true) {}"),
        (Runtime::Deno, "while (true) {}"),
        (
            Runtime::Node20,
            "setInterval(() => {}, 1000); module.exports = new Promise(() => {})",
        ),
        (
            Runtime::Node20,
            "require('child_process').spawnSync('/bin/sh', ['-c', 'echo $$ > child; /bin/sleep 600'])",
        ),
    ] {
        let world = with(runtime);
        let path = world.put("a.config.cjs", text);
        let wanted = LoadOptions {
            time: Duration::from_secs(2),
            ..LoadOptions::default()
        };
        let before = Instant::now();
        let said = world
            .load(&Source::File(path), &wanted)
            .unwrap_err()
            .to_string();
        assert!(
            said.contains("took more than 2 seconds"),
            "{}: {said}",
            runtime.name()
        );
        assert!(
            before.elapsed() < Duration::from_secs(20),
            "{}",
            runtime.name()
        );
        if let Ok(pid) = std::fs::read_to_string(world.cwd().join("child")) {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            assert!(
                !stat.is_ok_and(|stat| !stat.contains(") Z ")),
                "its child lives on"
            );
        }
    }
}

#[test]
fn without_a_runtime_another_language_is_advised() {
    let world = World::empty();
    for name in ["a.config.js", "a.config.ts"] {
        let said = world.file(name, "").unwrap_err().to_string();
        assert!(said.contains("none of them is in PATH\nhint: "), "{said}");
    }
}
