//! What is handed out: the schema and the first process files.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod world;

use std::path::{Path, PathBuf};
use tine_config::{LoadOptions, Source, Template};
use tine_testkit::Runtime;
use world::World;

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/process-file.schema.json")
}

/// `TINE_WRITE_SCHEMA=1 cargo test -p tine-config schema` writes it anew.
#[test]
fn the_committed_schema_is_that_of_the_code() {
    let text = serde_json::to_string_pretty(&tine_config::schema()).unwrap() + "\n";
    if std::env::var_os("TINE_WRITE_SCHEMA").is_some() {
        std::fs::write(committed(), &text).unwrap();
    }
    let found = std::fs::read_to_string(committed()).unwrap_or_default();
    assert!(
        found == text,
        "docs/process-file.schema.json is old; write it anew with \
         TINE_WRITE_SCHEMA=1 cargo test -p tine-config schema"
    );
}

#[test]
fn the_schema_has_every_name_and_its_references_lead_somewhere() {
    let schema = tine_config::schema();
    let app = &schema["$defs"]["app"]["properties"];
    for name in [
        "script",
        "cmd",
        "maxRestarts",
        "max_restarts",
        "node_args",
        "env",
        "stopSignal",
        "time",
    ] {
        assert!(app.get(name).is_some(), "{name}");
    }
    assert!(
        app["kill_timeout"]["description"]
            .as_str()
            .unwrap()
            .contains("SIGKILL")
    );
    assert_eq!(app["kill_timeout"]["default"], 1600);
    assert!(app.get("watch").is_none());
    let text = schema.to_string();
    let mut references = 0;
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(schema.pointer(pointer).is_some(), "{pointer}");
        references += 1;
    }
    assert!(references > 20);
    for field in app.as_object().unwrap().values() {
        assert!(
            field.get("description").is_some() || field.get("$ref").is_some(),
            "{field}"
        );
    }
}

#[test]
fn first_process_files_load_without_a_warning() {
    for template in [Template::Ecosystem, Template::Simple, Template::Toml] {
        let world = World::with_path(Runtime::Node20.path().parent().unwrap().to_str().unwrap());
        world.put("app.js", "");
        let path = world.put(template.file_name(), template.text());
        for env in [None, Some("production".to_owned())] {
            if template == Template::Simple && env.is_some() {
                continue;
            }
            let wanted = LoadOptions {
                env,
                ..LoadOptions::default()
            };
            let loaded = world.load(&Source::File(path.clone()), &wanted);
            let loaded = loaded.unwrap_or_else(|problems| panic!("{template:?}: {problems}"));
            assert_eq!(loaded.warnings, [], "{template:?}");
            assert_eq!(loaded.apps[0].name, "web");
        }
        assert_eq!(tine_config::file::find_default(world.cwd()), Some(path));
    }
}
