//! What are the last lines of a file?

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

const BLOCK: usize = 64 * 1024;

/// The last `lines` lines of a file, oldest first, without their line feeds. The file is read from
/// its end, and not more than `max_bytes` of it; of the oldest line that then is reached only a
/// part, it is left out, unless it is the only one. What comes after the last line feed counts as a
/// line. A file that is not there has no lines, and so has what is no file (a device, a pipe).
///
/// # Errors
/// When the file cannot be opened or read.
pub fn tail(path: &Path, lines: usize, max_bytes: usize) -> io::Result<Vec<Vec<u8>>> {
    // Opening a pipe would wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(Vec::new()),
        other => other?,
    };
    let stat = rustix::fs::fstat(&fd)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || lines == 0 {
        return Ok(Vec::new());
    }
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let (mut end, is_cut) = read_back(&File::from(fd), size, lines, max_bytes)?;
    if end.last() == Some(&b'\n') {
        end.pop();
    } else if end.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: Vec<&[u8]> = end.split(|byte| *byte == b'\n').collect();
    if is_cut && found.len() > 1 && found.len() <= lines {
        found.remove(0);
    }
    let surplus = found.len().saturating_sub(lines);
    Ok(found[surplus..].iter().map(|line| line.to_vec()).collect())
}

/// The end of the file with more line feeds than lines asked for, if there are, and whether
/// something was left unread for its length.
fn read_back(
    file: &File,
    size: u64,
    lines: usize,
    max_bytes: usize,
) -> io::Result<(Vec<u8>, bool)> {
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    let (mut at, mut left, mut feeds) = (size, max_bytes, 0_usize);
    // The line feed before the first line wanted is one more than there are lines.
    while at > 0 && left > 0 && feeds <= lines {
        let length = BLOCK
            .min(left)
            .min(usize::try_from(at).unwrap_or(usize::MAX));
        at -= length as u64;
        left -= length;
        let mut block = vec![0; length];
        match file.read_exact_at(&mut block, at) {
            // Emptied meanwhile: what it had is gone.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok((Vec::new(), false));
            }
            other => other?,
        }
        feeds += memchr::memchr_iter(b'\n', &block).count();
        blocks.push(block);
    }
    blocks.reverse();
    Ok((blocks.concat(), at > 0 && feeds <= lines))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

    use super::*;
    use proptest::prelude::*;

    fn of(content: &[u8], lines: usize, max_bytes: usize) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, content).unwrap();
        let lines = tail(&path, lines, max_bytes).unwrap();
        let text = |line| String::from_utf8(line).unwrap();
        lines.into_iter().map(text).collect()
    }

    #[test]
    fn the_last_lines_come_oldest_first() {
        assert_eq!(of(b"a\nb\nc\n", 2, 1 << 20), ["b", "c"]);
        assert_eq!(of(b"a\nb\nc", 2, 1 << 20), ["b", "c"]);
        assert_eq!(of(b"a\n\n", 5, 1 << 20), ["a", ""]);
        assert_eq!(of(b"\n", 5, 1 << 20), [""]);
        assert_eq!(of(b"", 5, 1 << 20), [""; 0]);
        assert_eq!(of(b"a\n", 0, 1 << 20), [""; 0]);
    }

    #[test]
    fn a_line_of_which_only_a_part_may_be_read_is_left_out_unless_it_is_alone() {
        assert_eq!(of(b"abcdef\nxy\n", 5, 6), ["xy"]);
        assert_eq!(of(b"abcdef\nxy\n", 1, 6), ["xy"]);
        assert_eq!(of(b"abcdef", 5, 3), ["def"]);
        assert_eq!(of(b"abc\nabcdef\n", 1, 4), ["def"]);
    }

    #[test]
    fn lines_longer_than_a_block_are_whole() {
        let long = "x".repeat(3 * BLOCK);
        let content = format!("first\n{long}\nlast\n");
        assert_eq!(of(content.as_bytes(), 2, 1 << 20), [&long, "last"]);
    }

    #[test]
    fn what_is_no_file_has_no_lines_and_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        assert!(tail(&folder.path().join("none"), 3, 99).unwrap().is_empty());
        assert!(tail(folder.path(), 3, 99).unwrap().is_empty());
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RWXU).unwrap();
        assert!(tail(&pipe, 3, 99).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn it_is_the_end_of_all_lines(
            content in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..400),
            lines in 0_usize..20,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            std::fs::write(&path, &content).unwrap();
            let mut all: Vec<&[u8]> = content.split(|byte| *byte == b'\n').collect();
            if all.last() == Some(&&b""[..]) {
                all.pop();
            }
            let expected = &all[all.len().saturating_sub(lines)..];
            prop_assert_eq!(tail(&path, lines, usize::MAX).unwrap(), expected);
        }
    }
}
