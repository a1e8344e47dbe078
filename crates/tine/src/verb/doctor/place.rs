//! Where are we, and is there room?

use super::{Finding, read};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tine_daemon::home::{Home, HomeError};

pub(super) fn look() -> Vec<Finding> {
    let home = Home::find();
    let folder = home.as_ref().ok().map(|home| existing(home.folder()));
    let mut findings = vec![container(), home_finding(home)];
    if let Some(folder) = folder {
        findings.push(disk(&folder));
    }
    findings
}

fn container() -> Finding {
    let (key, name) = ("container", "container");
    let by_file = [
        ("/.dockerenv", "Docker"),
        ("/run/.containerenv", "Podman"),
        ("/var/run/secrets/kubernetes.io", "Kubernetes"),
    ];
    let by_file = by_file.iter().find(|(path, _)| Path::new(path).exists());
    let said = read("/run/systemd/container")
        .or_else(|| std::env::var("container").ok())
        .filter(|word| !word.is_empty());
    match (by_file, said) {
        (Some((_, word)), _) => Finding::known(key, name, *word),
        (None, Some(word)) => Finding::known(key, name, word),
        (None, None) => Finding::known(key, name, "none that shows itself"),
    }
}

fn home_finding(home: Result<Home, HomeError>) -> Finding {
    let (key, name) = ("home", "home");
    let bad = |error: &HomeError| {
        Finding::bad(key, name, error.to_string())
            .effect("no daemon can be started")
            .remedy(error.hint())
    };
    let home = match home {
        Ok(home) => home,
        Err(error) => return bad(&error),
    };
    let folder = home.folder();
    if !folder.exists() {
        let above = existing(folder);
        return match writable(&above) {
            Ok(()) => Finding::good(key, name, format!("{} (not made yet)", folder.display())),
            Err(error) => Finding::bad(key, name, format!("{}: {error}", above.display()))
                .effect("no daemon can be started")
                .remedy("set TINE_HOME to a folder that you may write"),
        };
    }
    if let Err(error) = home.prepare() {
        return bad(&error);
    }
    // By writing, since a full disk and quotas show only then.
    let file = folder.join(format!(".doctor-{}", std::process::id()));
    let written = fs::write(&file, b"tine");
    let removed = fs::remove_file(&file);
    match written.and(removed) {
        Ok(()) => Finding::good(key, name, folder.display().to_string()),
        Err(error) => Finding::bad(key, name, format!("{}: {error}", folder.display()))
            .effect("nothing can be saved or logged")
            .remedy("make room, or set TINE_HOME to another folder"),
    }
}

fn writable(folder: &Path) -> io::Result<()> {
    use rustix::fs::{Access, access};
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// The folder itself, or the nearest one above it that is there.
fn existing(folder: &Path) -> PathBuf {
    let there = folder.ancestors().find(|path| path.exists());
    there.unwrap_or(Path::new("/")).to_owned()
}

fn disk(folder: &Path) -> Finding {
    let (key, name) = ("disk", "disk");
    match rustix::fs::statvfs(folder) {
        Ok(space) => {
            let bytes = space.f_bavail.saturating_mul(space.f_frsize);
            // Some file systems have no such number, and say 0 of 0.
            let files = (space.f_files > 0).then_some(space.f_favail);
            room(bytes, files)
        }
        Err(errno) => Finding::known(key, name, format!("{}: {errno}", folder.display())),
    }
}

fn room(bytes: u64, files: Option<u64>) -> Finding {
    let (key, name) = ("disk", "disk");
    /// Below this, logs fill it soon.
    const LITTLE: u64 = 100 << 20;
    let found = match files {
        Some(files) => format!("{} MiB and {files} files are free", bytes >> 20),
        None => format!("{} MiB are free", bytes >> 20),
    };
    if bytes < LITTLE || files.is_some_and(|files| files < 100) {
        return Finding::limited(key, name, found)
            .effect("logs and what is saved will soon be lost")
            .remedy("make room, or set TINE_HOME to a folder on another disk");
    }
    Finding::good(key, name, found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

    use super::*;
    use crate::verb::doctor::State;

    #[test]
    fn a_home_is_tried_without_leaving_anything() {
        let folder = tempfile::tempdir().unwrap();
        let there = || fs::read_dir(folder.path()).unwrap().count();
        let finding = home_finding(Home::at(folder.path().join("new")));
        assert_eq!(finding.state, State::Good, "{finding:?}");
        assert_eq!(there(), 0);
        let home = Home::at(folder.path()).unwrap();
        home.prepare().unwrap();
        let before = there();
        let finding = home_finding(Ok(home));
        assert_eq!(finding.state, State::Good, "{finding:?}");
        assert_eq!(there(), before);
    }

    #[test]
    fn what_is_in_the_place_of_the_home_is_bad() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let finding = home_finding(Home::at(&file));
        assert_eq!(finding.state, State::Bad, "{finding:?}");
        assert!(!finding.remedy.is_empty());
        let long = home_finding(Home::at(format!("/{}", "x".repeat(120))));
        assert_eq!(long.state, State::Bad, "{long:?}");
    }

    #[test]
    fn little_room_is_told_from_much() {
        assert_eq!(room(1 << 40, None).state, State::Good);
        assert_eq!(room(1 << 40, Some(1 << 20)).state, State::Good);
        assert_eq!(room(1 << 20, Some(1 << 20)).state, State::Limited);
        assert_eq!(room(1 << 40, Some(3)).state, State::Limited);
    }

    #[test]
    fn the_nearest_folder_that_is_there_is_found() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(existing(&folder.path().join("a/b/c")), folder.path());
        assert_eq!(existing(folder.path()), folder.path());
    }
}
