//! What are the files of a process called?

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Longest part of an app's name in a file name, in bytes; a file name may have 255.
const LONGEST: usize = 200;

/// The files that the output of one process goes to; `None`: it goes nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths {
    /// For standard output.
    pub out: Option<PathBuf>,
    /// For standard error.
    pub error: Option<PathBuf>,
    /// For both, besides the other two.
    pub combined: Option<PathBuf>,
}

/// What the files of a process are called if nobody has said: `NAME-out.log` and `NAME-error.log`
/// in `folder`, as PM2 calls them. With an `id`, so that each process has its own,
/// `NAME-out-ID.log` and `NAME-error-ID.log`. There is no combined file.
///
/// In a name, all but ASCII letters, digits, `.` and `-` becomes `-` (as PM2 has it), and what is
/// beyond 200 bytes is left out. So two apps may come to share files; lines stay whole.
#[must_use]
pub fn file_names(folder: &Path, name: &str, id: Option<u64>) -> Paths {
    let file = |kind| {
        let path = folder.join(format!("{}-{kind}.log", safe(name)));
        Some(with_id(&path, id))
    };
    Paths {
        out: file("out"),
        error: file("error"),
        combined: None,
    }
}

/// What the combined file is called if only its being there was asked for: `NAME.log` in `folder`,
/// or `NAME-ID.log`.
#[must_use]
pub fn combined_name(folder: &Path, name: &str, id: Option<u64>) -> PathBuf {
    with_id(&folder.join(format!("{}.log", safe(name))), id)
}

/// The path that was given for a file, with the `id` in it: `-ID` before a last `.log`. A path
/// with another ending (or none) stays as it is, as with PM2: it may be a device or a pipe.
#[must_use]
pub fn with_id(path: &Path, id: Option<u64>) -> PathBuf {
    let Some(id) = id else {
        return path.to_owned();
    };
    match (path.file_stem(), path.extension()) {
        (Some(stem), Some(extension)) if extension == OsStr::new("log") => {
            let mut file = OsString::from(stem);
            file.push(format!("-{id}.log"));
            path.with_file_name(file)
        }
        _ => path.to_owned(),
    }
}

impl Paths {
    /// The files of a process: `file_names`, where no other path is given; `/dev/null` means none.
    /// `id` is `None` where all processes write to the same files.
    #[must_use]
    pub fn choose(folder: &Path, name: &str, id: Option<u64>, given: &Paths) -> Self {
        let default = file_names(folder, name, id);
        let choose = |given: &Option<PathBuf>, default: Option<PathBuf>| {
            let path = match given {
                Some(path) => Some(with_id(path, id)),
                None => default,
            };
            path.filter(|path| path != Path::new("/dev/null"))
        };
        Self {
            out: choose(&given.out, default.out),
            error: choose(&given.error, default.error),
            combined: choose(&given.combined, None),
        }
    }
}

fn safe(name: &str) -> String {
    let kept = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' => c,
        _ => '-',
    };
    // One byte each by now.
    name.chars().map(kept).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(name: &str, id: Option<u64>) -> String {
        let path = file_names(Path::new("/l"), name, id).out;
        path.unwrap_or_default().display().to_string()
    }

    #[test]
    fn files_are_called_as_with_pm2() {
        assert_eq!(out("web", None), "/l/web-out.log");
        assert_eq!(out("web", Some(3)), "/l/web-out-3.log");
        assert_eq!(out("my_app v1.2", Some(0)), "/l/my-app-v1.2-out-0.log");
        let error = file_names(Path::new("/l"), "web", Some(1)).error;
        assert_eq!(error, Some("/l/web-error-1.log".into()));
        let combined = combined_name(Path::new("/l"), "web", Some(1));
        assert_eq!(combined, Path::new("/l/web-1.log"));
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        assert_eq!(out("../../etc/passwd", None), "/l/..-..-etc-passwd-out.log");
        assert_eq!(out("..", None), "/l/..-out.log");
        assert_eq!(out("a\0b\nc", None), "/l/a-b-c-out.log");
        assert_eq!(out("", None), "/l/-out.log");
        let long = out(&"ü".repeat(5000), Some(u64::MAX));
        assert!(long.len() < 255 && long.ends_with("-out-18446744073709551615.log"));
    }

    #[test]
    fn an_id_goes_into_given_paths_that_end_with_log_only() {
        let id = |path: &str| with_id(Path::new(path), Some(7)).display().to_string();
        assert_eq!(id("/v/out.log"), "/v/out-7.log");
        assert_eq!(id("/v.log/a.b.log"), "/v.log/a.b-7.log");
        assert_eq!(id("/v/out.txt"), "/v/out.txt");
        assert_eq!(id("/dev/stdout"), "/dev/stdout");
        assert_eq!(id("/v/.log"), "/v/.log");
    }

    #[test]
    fn what_is_given_wins_and_dev_null_is_no_file() {
        let given = Paths {
            out: Some("/v/out.log".into()),
            error: Some("/dev/null".into()),
            combined: None,
        };
        let chosen = Paths::choose(Path::new("/l"), "web", Some(2), &given);
        let expected = Paths {
            out: Some("/v/out-2.log".into()),
            ..Paths::default()
        };
        assert_eq!(chosen, expected);
    }
}
