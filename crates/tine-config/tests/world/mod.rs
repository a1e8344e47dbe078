//! A folder with programs, as a caller would be in it.
#![allow(dead_code, reason = "not every test needs all of it")]
#![allow(unreachable_pub, reason = "it is a part of each test")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tine_config::{Around, LoadOptions, Loaded, Options, Problems, Source, load, start};
use tine_control::AppSpec;

/// A folder, and a `PATH` with programs that are only looked at.
pub struct World {
    folder: TempDir,
    pub around: Around,
}

impl World {
    /// With `app.js`, `app.py`, and in the `PATH` node, bun, deno, python3, bash and ruby.
    pub fn new() -> World {
        let world = World::empty();
        for name in ["node", "bun", "deno", "python3", "bash", "ruby"] {
            world.program(name);
        }
        world.put("app.js", "");
        world.put("app.py", "");
        world
    }

    /// With nothing but an empty `PATH`.
    pub fn empty() -> World {
        let folder = tempfile::tempdir().unwrap();
        let cwd = folder.path().join("app");
        std::fs::create_dir_all(&cwd).unwrap();
        std::fs::create_dir_all(folder.path().join("bin")).unwrap();
        let env = [
            ("PATH", folder.path().join("bin").display().to_string()),
            ("HOME", "/home/me".to_owned()),
        ];
        World {
            around: Around {
                cwd,
                env: env.map(|(name, value)| (name.to_owned(), value)).into(),
                home: "/home/me/.tine".into(),
                tine: "/bin/true".into(),
            },
            folder,
        }
    }

    /// With the real programs of this `PATH`.
    pub fn with_path(path: &str) -> World {
        let mut world = World::empty();
        world.around.env.insert("PATH".to_owned(), path.to_owned());
        world
    }

    pub fn cwd(&self) -> &Path {
        &self.around.cwd
    }

    /// The folder that the current one is in.
    pub fn above(&self) -> &Path {
        self.folder.path()
    }

    pub fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.cwd().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn program(&self, name: &str) -> PathBuf {
        let path = self.above().join("bin").join(name);
        std::fs::write(&path, "\0").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    pub fn start(&self, script: &str, options: &Options) -> Result<AppSpec, Problems> {
        start(script, &[], options, &self.around).map(|resolved| resolved.app)
    }

    pub fn text(&self, text: &str) -> Result<Loaded, Problems> {
        self.load(&Source::Text(text.to_owned()), &LoadOptions::default())
    }

    pub fn load(&self, source: &Source, wanted: &LoadOptions) -> Result<Loaded, Problems> {
        load(source, wanted, &self.around)
    }

    /// Writes a file and loads it.
    pub fn file(&self, name: &str, text: &str) -> Result<Loaded, Problems> {
        let path = self.put(name, text);
        self.load(&Source::File(path), &LoadOptions::default())
    }

    /// The app of a file with just one.
    pub fn app(&self, text: &str) -> AppSpec {
        match self.text(text) {
            Ok(loaded) => {
                assert_eq!(loaded.warnings, [], "{text}");
                assert_eq!(loaded.apps.len(), 1, "{text}");
                loaded.apps.into_iter().next().unwrap()
            }
            Err(problems) => panic!("{text}: {problems}"),
        }
    }

    /// What is said of a file that is refused: each error with its hint.
    pub fn refusal(&self, text: &str) -> String {
        match self.text(text) {
            Ok(loaded) => panic!("{text} was taken: {loaded:?}"),
            Err(problems) => problems.to_string(),
        }
    }

    /// What is warned of in a file that is taken, each with its hint.
    pub fn warnings(&self, text: &str) -> Vec<String> {
        match self.text(text) {
            Ok(loaded) => loaded
                .warnings
                .iter()
                .map(|one| format!("{one} ({})", one.hint.as_deref().unwrap_or_default()))
                .collect(),
            Err(problems) => panic!("{text}: {problems}"),
        }
    }
}
