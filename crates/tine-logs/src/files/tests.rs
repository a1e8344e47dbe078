#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use super::*;
use crate::DateFormat;
use proptest::prelude::*;
use rustix::io::Errno;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_770_091_506_007)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn only_out(path: &Path, form: Form) -> LogFiles {
    let paths = Paths {
        out: Some(path.to_owned()),
        ..Paths::default()
    };
    LogFiles::new(paths, form)
}

fn literal_date() -> Form {
    Form::Dated(DateFormat::new("[on time]"))
}

fn json() -> Form {
    Form::Json {
        date: None,
        process_id: 3,
        app_name: "we\"b".to_owned(),
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn write(files: &mut LogFiles, stream: Stream, chunk: &[u8]) {
    files.write(stream, now(), chunk).unwrap();
}

#[test]
fn nothing_is_made_before_something_is_said() {
    let folder = folder();
    let path = folder.path().join("a/b/out.log");
    let mut files = only_out(&path, Form::Raw);
    write(&mut files, Stream::Out, b"");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(files.open_files(), 0);
    write(&mut files, Stream::Out, b"half a li");
    assert_eq!(text(&path), "half a li");
    assert_eq!(files.open_files(), 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&path) & 0o137, 0, "nobody else may read it");
    assert_eq!(mode(path.parent().unwrap()) & 0o027, 0);
}

#[test]
fn raw_bytes_stay_as_they_are_and_go_to_both_files() {
    let folder = folder();
    let path = |name: &str| Some(folder.path().join(name));
    let paths = Paths {
        out: path("out"),
        error: path("error"),
        combined: path("all"),
    };
    let mut files = LogFiles::new(paths.clone(), Form::Raw);
    assert_eq!(files.paths(), paths);
    write(&mut files, Stream::Out, b"a\xff\0");
    write(&mut files, Stream::Err, b"oh\n");
    write(&mut files, Stream::Out, b"b");
    files.finish(Stream::Out, now()).unwrap();
    let bytes = |name| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(bytes("out"), b"a\xff\0b");
    assert_eq!(bytes("error"), b"oh\n");
    assert_eq!(bytes("all"), b"a\xff\0oh\nb");
}

#[test]
fn a_combined_file_that_is_the_own_one_gets_everything_once() {
    let folder = folder();
    let path = folder.path().join("same.log");
    let paths = Paths {
        out: Some(path.clone()),
        error: None,
        combined: Some(path.clone()),
    };
    let mut files = LogFiles::new(paths, Form::Raw);
    write(&mut files, Stream::Out, b"one\n");
    write(&mut files, Stream::Err, b"two\n");
    assert_eq!(text(&path), "one\ntwo\n");
}

#[test]
fn each_line_has_one_date_however_it_came() {
    let folder = folder();
    let path = folder.path().join("out.log");
    let mut files = only_out(&path, literal_date());
    write(&mut files, Stream::Out, b"on");
    assert!(!path.exists(), "half a line waits");
    write(&mut files, Stream::Out, b"e\n\ntwo\nthr");
    assert_eq!(text(&path), "on time: one\non time: \non time: two\n");
    files.finish(Stream::Out, now()).unwrap();
    files.finish(Stream::Out, now()).unwrap();
    assert!(text(&path).ends_with("two\non time: thr\n"));
}

#[test]
fn json_lines_have_the_fields_of_pm2() {
    let folder = folder();
    let path = folder.path().join("out.log");
    let mut files = only_out(&path, json());
    write(&mut files, Stream::Out, b"say \"hi\"\n\xff\nrest");
    files.finish(Stream::Out, now()).unwrap();
    let tail = r#","timestamp":"2026-02-03T04:05:06.007Z","type":"out","process_id":3,"app_name":"we\"b"}"#;
    let expected = [r#"say \"hi\"\n"#, "\u{fffd}\\n", "rest"]
        .map(|message| format!("{{\"message\":\"{message}\"{tail}\n"))
        .concat();
    assert_eq!(text(&path), expected);
}

#[test]
fn what_was_moved_away_is_left_when_the_files_are_reopened() {
    let folder = folder();
    let (path, old) = (folder.path().join("log"), folder.path().join("log.1"));
    let mut files = only_out(&path, Form::Raw);
    write(&mut files, Stream::Out, b"1\n");
    fs::rename(&path, &old).unwrap();
    write(&mut files, Stream::Out, b"2\n");
    files.reopen();
    write(&mut files, Stream::Out, b"3\n");
    assert_eq!((text(&old), text(&path)), ("1\n2\n".into(), "3\n".into()));
}

#[test]
fn after_a_flush_the_file_begins_anew() {
    let folder = folder();
    let path = folder.path().join("log");
    let mut files = only_out(&path, Form::Raw);
    files.truncate().unwrap();
    assert!(!path.exists());
    write(&mut files, Stream::Out, b"old\n");
    files.truncate().unwrap();
    assert_eq!(text(&path), "");
    write(&mut files, Stream::Out, b"new\n");
    assert_eq!(text(&path), "new\n");
    crate::truncate(Path::new("/dev/null")).unwrap();
    let error = crate::truncate(folder.path()).unwrap_err();
    assert_eq!(error.errno(), Errno::ISDIR);
}

#[test]
fn files_are_closed_when_they_are_idle_and_opened_again() {
    let folder = folder();
    let path = folder.path().join("log");
    let mut files = only_out(&path, Form::Raw);
    write(&mut files, Stream::Out, b"1\n");
    files.close_idle();
    assert_eq!(files.open_files(), 1, "it was used since");
    files.close_idle();
    assert_eq!(files.open_files(), 0);
    write(&mut files, Stream::Out, b"2\n");
    assert_eq!(text(&path), "1\n2\n");
}

#[test]
fn a_full_disk_is_told_once_and_what_is_lost_is_counted() {
    let folder = folder();
    let path = folder.path().join("log");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let mut files = only_out(&path, Form::Raw);
    let error = files.write(Stream::Out, now(), b"12345\n").unwrap_err();
    let path_text = path.display();
    assert_eq!(
        error.to_string(),
        format!(
            "writing to the log file {path_text}: No space left on device\n\
             hint: make room; what comes until then is lost"
        )
    );
    write(&mut files, Stream::Out, b"6\n");
    assert_eq!(files.troubles().map(LogError::lost).sum::<u64>(), 8);

    // There is room again, under the same name.
    fs::remove_file(&path).unwrap();
    files.reopen();
    write(&mut files, Stream::Out, b"7\n");
    assert_eq!(
        text(&path),
        "tine: 8 bytes lost: No space left on device\n7\n"
    );
    assert_eq!(files.troubles().count(), 0);
    write(&mut files, Stream::Out, b"8\n");
    assert!(text(&path).ends_with("\n7\n8\n"));
}

#[test]
fn the_note_of_a_loss_has_the_form_of_the_other_lines() {
    for (form, expected) in [
        (
            literal_date(),
            "on time: tine: 12 bytes lost: Is a directory\n",
        ),
        (json(), r#"{"message":"tine: "#),
    ] {
        let folder = folder();
        let path = folder.path().join("log");
        fs::create_dir(&path).unwrap();
        let mut files = only_out(&path, form.clone());
        let error = files.write(Stream::Out, now(), b"one\n").unwrap_err();
        assert_eq!(error.errno(), Errno::ISDIR);
        let lost = error.lost();
        fs::remove_dir(&path).unwrap();
        write(&mut files, Stream::Out, b"two\n");
        let text = text(&path);
        let (note, line) = text.split_once('\n').unwrap();
        assert_eq!(
            lost,
            line.len() as u64,
            "of the form that would have been written"
        );
        assert!(format!("{note}\n").starts_with(&expected.replace("12", &lost.to_string())));
        if form == json() {
            for line in text.lines() {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(value["process_id"], 3);
            }
        }
    }
}

/// A file system of its own, as small as they are.
struct Small(PathBuf);

impl Small {
    fn mounted_at(path: PathBuf) -> Option<Self> {
        use rustix::mount::{MountFlags, mount};
        fs::create_dir(&path).unwrap();
        let options = std::ffi::CString::new("size=65536").unwrap();
        match mount("none", &path, "tmpfs", MountFlags::empty(), &*options) {
            Err(Errno::PERM) => None,
            other => other.map(|()| Some(Self(path))).unwrap(),
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let lazily = rustix::mount::UnmountFlags::DETACH;
        rustix::mount::unmount(&self.0, lazily).unwrap();
    }
}

#[test]
fn when_a_disk_runs_full_in_the_middle_nothing_is_lost_uncounted() {
    let folder = folder();
    let Some(disk) = Small::mounted_at(folder.path().join("disk")) else {
        eprintln!("not tested: nothing may be mounted here");
        return;
    };
    let path = disk.0.join("log");
    let mut files = only_out(&path, literal_date());
    let line = [b'x'; 999];
    let written = [&line[..], b"\n"].concat();
    let mut said = 0;
    for _ in 0..100 {
        said += written.len() + "on time: ".len();
        let _ = files.write(Stream::Out, now(), &written);
    }
    let lost: u64 = files.troubles().map(LogError::lost).sum();
    let size = fs::metadata(&path).unwrap().len();
    assert_eq!(size + lost, said as u64);
    assert!(!text(&path).ends_with('\n'), "the disk ended within a line");

    files.truncate().unwrap();
    write(&mut files, Stream::Out, b"again\n");
    assert_eq!(
        text(&path),
        format!("on time: tine: {lost} bytes lost: No space left on device\non time: again\n")
    );
}

#[test]
fn half_a_line_does_not_swallow_the_note_behind_it() {
    let folder = folder();
    let (path, full) = (folder.path().join("log"), folder.path().join("full"));
    std::os::unix::fs::symlink("/dev/full", &full).unwrap();
    let mut files = only_out(&path, Form::Raw);
    write(&mut files, Stream::Out, b"half");
    fs::rename(&path, folder.path().join("kept")).unwrap();
    fs::rename(&full, &path).unwrap();
    files.reopen();
    files.write(Stream::Out, now(), b" a line\n").unwrap_err();
    fs::rename(folder.path().join("kept"), &path).unwrap();
    files.reopen();
    write(&mut files, Stream::Out, b"next\n");
    assert_eq!(
        text(&path),
        "half\ntine: 8 bytes lost: No space left on device\nnext\n"
    );
}

#[test]
fn a_pipe_that_nobody_reads_is_not_waited_for() {
    let folder = folder();
    let path = folder.path().join("pipe");
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
    let mut files = only_out(&path, Form::Raw);
    let error = files.write(Stream::Out, now(), b"1\n").unwrap_err();
    assert_eq!(error.errno(), Errno::NXIO);
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK;
    let reader = rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).unwrap();
    let full = files.write(Stream::Out, now(), &vec![b'x'; 1 << 20]);
    assert_eq!(full.unwrap_err().errno(), Errno::AGAIN);
    drop(reader);
}

#[test]
fn processes_that_share_a_file_do_not_tear_each_others_lines() {
    let folder = folder();
    let path = folder.path().join("log");
    let (threads, lines) = (8, 500);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let mut files = only_out(&path, literal_date());
            scope.spawn(move || {
                for line in 0..lines {
                    let said = format!("{thread} {line} {}\n", "x".repeat(line));
                    let (begin, end) = said.as_bytes().split_at(said.len() / 2);
                    write(&mut files, Stream::Out, begin);
                    write(&mut files, Stream::Out, end);
                }
            });
        }
    });
    let mut next = vec![0; threads];
    for line in text(&path).lines() {
        let mut words = line.strip_prefix("on time: ").unwrap().split(' ');
        let mut number = || words.next().unwrap().parse::<usize>().unwrap();
        let (thread, line) = (number(), number());
        assert_eq!(next[thread], line);
        assert_eq!(words.next().unwrap().len(), line);
        next[thread] += 1;
    }
    assert_eq!(next, vec![lines; threads]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_chunks_give_the_same_file(
        said in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..300),
        sizes in proptest::collection::vec(1..40_usize, 1..10),
    ) {
        let folder = folder();
        for (name, form) in [("raw", Form::Raw), ("dated", literal_date()), ("json", json())] {
            let (whole, pieces) = (folder.path().join(name), folder.path().join("pieces"));
            let mut files = only_out(&whole, form.clone());
            write(&mut files, Stream::Out, &said);
            files.finish(Stream::Out, now()).unwrap();

            let mut files = only_out(&pieces, form);
            let (mut rest, mut sizes) = (&said[..], sizes.iter().cycle());
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                write(&mut files, Stream::Out, chunk);
                files.close_idle();
                rest = after;
            }
            files.finish(Stream::Out, now()).unwrap();
            let bytes = |path: &Path| fs::read(path).unwrap_or_default();
            prop_assert_eq!(bytes(&whole), bytes(&pieces));
            let _ = fs::remove_file(pieces);
        }
    }
}
