//! What does a named interpreter mean?

use super::{Interpreter, Search, itself, runs, table};
use crate::problem::Problem;
use std::path::{Path, PathBuf};

pub(super) fn find(named: &str, script: &Path, search: Search<'_>) -> Result<Interpreter, Problem> {
    let refuse = |problem: Problem| Err(problem.field("interpreter"));
    if named.trim().is_empty() {
        return refuse(
            Problem::error("is empty").hint("leave it out, or write `none` to execute the script"),
        );
    }
    if named == "none" {
        return itself(script, search);
    }
    if let Some(version) = named.strip_prefix("node@") {
        return match of_nvm(version, search) {
            Ok(path) => Ok(runs(path)),
            Err(problem) => refuse(problem),
        };
    }
    let word = if named.contains('/') || named.starts_with('~') {
        let path = search.around.absolute(named, search.cwd);
        path.to_string_lossy().into_owned()
    } else {
        named.to_owned()
    };
    match search.program(&word) {
        Ok(_) => Ok(runs(word)),
        Err(error) => refuse(
            Problem::error(format!("it needs `{named}`: {error}")).hint(table::remedy(named)),
        ),
    }
}

/// The newest Node.js of nvm that this version names: `20`, `20.11`, `20.11.1` or `v20`.
fn of_nvm(version: &str, search: Search<'_>) -> Result<String, Problem> {
    let version = version.strip_prefix('v').unwrap_or(version);
    let env = &search.around.env;
    let nvm = match env.get("NVM_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => search.around.absolute("~/.nvm", search.cwd),
    };
    let folder = nvm.join("versions/node");
    let wanted = numbers(version).ok_or_else(|| {
        Problem::error(format!("{version:?} is not a version of Node.js"))
            .hint("write it as node@20 or node@20.11.1")
    })?;
    let mut found: Vec<(Vec<u64>, PathBuf)> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let found = numbers(name.strip_prefix('v')?)?;
            let path = entry.path().join("bin/node");
            (found.starts_with(&wanted) && path.is_file()).then_some((found, path))
        })
        .collect();
    found.sort();
    match found
        .pop()
        .map(|(_, path)| path.into_os_string().into_string())
    {
        Some(Ok(path)) => Ok(path),
        _ => Err(Problem::error(format!(
            "there is no Node.js {version} in {}",
            folder.display()
        ))
        .hint(format!(
            "tine installs nothing: run `nvm install {version}`, or name another interpreter by \
             its path"
        ))),
    }
}

fn numbers(version: &str) -> Option<Vec<u64>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use crate::around::Around;
    use crate::resolve::interpreter::{Search, of};
    use std::ffi::OsString;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn put(path: &Path, mode: u32) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "\0").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_named_interpreter_is_found_or_refused_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        put(&here.join("bin/py"), 0o755);
        put(&here.join("data"), 0o644);
        for version in ["v18.0.0", "v20.9.0", "v20.11.1", "v20.2.0"] {
            put(
                &here
                    .join("nvm/versions/node")
                    .join(version)
                    .join("bin/node"),
                0o755,
            );
        }
        let around = Around {
            cwd: here.to_owned(),
            env: [("NVM_DIR".to_owned(), here.join("nvm").display().to_string())].into(),
            home: "/h".into(),
            tine: "/t".into(),
        };
        let path = OsString::from(here.join("bin"));
        let search = Search {
            cwd: here,
            path: Some(&path),
            around: &around,
        };
        let script = here.join("bin/py");
        let find = |named| of(&script, Some(named), search).map(|found| found.program);
        let inside = |name: &str| Ok(Some(here.join(name).display().to_string()));

        assert_eq!(find("py"), Ok(Some("py".to_owned())));
        assert_eq!(find("./bin/py"), inside("bin/py"));
        assert_eq!(find("none"), Ok(None));
        assert_eq!(
            find("node@20"),
            inside("nvm/versions/node/v20.11.1/bin/node")
        );
        assert_eq!(
            find("node@v20.9"),
            inside("nvm/versions/node/v20.9.0/bin/node")
        );
        assert_eq!(
            find("node@18.0.0"),
            inside("nvm/versions/node/v18.0.0/bin/node")
        );
        for named in [
            "",
            " ",
            "no-such",
            "./no-such",
            "./data",
            "./bin",
            "node@16",
            "node@",
            "node@x",
        ] {
            let problem = find(named).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some("interpreter"), "{named}");
            assert!(problem.hint.is_some(), "{named}");
        }
        let not_executable = of(&here.join("data"), Some("none"), search).unwrap_err();
        assert!(not_executable.hint.unwrap().contains("chmod +x"));
    }
}
