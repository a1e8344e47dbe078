//! What is in a folder?

use crate::folder::{Absent, Folder};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rustix::fs::{FileType, Stat};
use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// More would be a page that no browser likes.
const MOST: usize = 10_000;
/// What needs no code in a part of a path (RFC 3986, unreserved).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The page that lists the folder `fd`, which is at `below`: folders first, by name, without what
/// is hidden. Blocks.
pub(crate) fn page(
    folder: &Folder,
    fd: &OwnedFd,
    below: &Path,
    shows_hidden: bool,
) -> Result<String, Absent> {
    let (mut entries, has_more) = folder.list(fd, below, MOST)?;
    if !shows_hidden {
        entries.retain(|(name, _)| !name.as_bytes().starts_with(b"."));
    }
    entries.sort_by_cached_key(|(name, stat)| (!is_folder(stat), name.clone()));

    let title = escape(&format!("/{}", below.display()));
    let mut page = format!(
        "<!doctype html>\n<html><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>body{{font-family:monospace}}td{{padding:0 1em 0 0}}\
         td+td{{text-align:right;white-space:nowrap}}</style></head>\n\
         <body><h1>{title}</h1>\n<table>\n"
    );
    if below != Path::new("") {
        page.push_str("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
    }
    for (name, stat) in &entries {
        row(&mut page, name.as_bytes(), stat);
    }
    page.push_str("</table>\n");
    if has_more {
        page.push_str("<p>There are more.</p>\n");
    }
    page.push_str("</body></html>\n");
    Ok(page)
}

fn row(page: &mut String, name: &[u8], stat: &Stat) {
    let slash = if is_folder(stat) { "/" } else { "" };
    let size = match is_folder(stat) {
        true => String::new(),
        false => size(u64::try_from(stat.st_size).unwrap_or(0)),
    };
    let modified = u64::try_from(stat.st_mtime).unwrap_or(0);
    let modified = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(modified));
    // httpdate panics beyond the year 9999.
    let modified = modified.filter(|_| stat.st_mtime < 253_402_300_800);
    let modified = modified.map(httpdate::fmt_http_date).unwrap_or_default();
    // With "./" before it, a name with a colon is no other scheme.
    let link = percent_encode(name, PLAIN);
    let shown = escape(&String::from_utf8_lossy(name));
    // Writing to memory does not fail.
    let _ = writeln!(
        page,
        "<tr><td><a href=\"./{link}{slash}\">{shown}{slash}</a></td><td>{size}</td><td>{modified}</td></tr>"
    );
}

/// A part of a path as it stands in an address.
pub(crate) fn encoded(part: &[u8]) -> String {
    percent_encode(part, PLAIN).to_string()
}

fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn size(bytes: u64) -> String {
    let mut unit = 0;
    let mut size = bytes as f64;
    while size >= 1024.0 && unit < 4 {
        size /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{size:.1} {}iB", ["", "K", "M", "G", "T"][unit]),
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

    use super::*;
    use crate::folder::Entry;
    use std::ffi::OsStr;

    fn listed(names: &[&[u8]], shows_hidden: bool) -> String {
        let temp = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(temp.path().join(OsStr::from_bytes(name)), "x").unwrap();
        }
        std::fs::create_dir(temp.path().join("zoo")).unwrap();
        let folder = Folder::new(temp.path()).unwrap();
        let Ok(Entry::Folder(fd)) = folder.open(Path::new("")) else {
            panic!("no folder")
        };
        page(&folder, &fd, Path::new(""), shows_hidden).unwrap()
    }

    #[test]
    fn folders_come_first_and_hidden_files_not_at_all() {
        let page = listed(&[b"b", b"a", b".env"], false);
        let at = |what: &str| {
            page.find(what)
                .unwrap_or_else(|| panic!("{what} in {page}"))
        };
        assert!(at("\"./zoo/\"") < at("\"./a\"") && at("\"./a\"") < at("\"./b\""));
        assert!(at("<td>1 B</td>") > 0 && at(" GMT</td>") > 0);
        assert!(!page.contains(".env") && !page.contains("../"));
        assert!(listed(&[b".env"], true).contains(".env"));
    }

    #[test]
    fn no_name_becomes_markup_or_another_address() {
        let names: [&[u8]; 4] = [
            b"<script>alert('\"&')<",
            b"javascript:alert(1)",
            b"a?b#c%41",
            b"\xff\xfe",
        ];
        let page = listed(&names, false);
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(&#39;&quot;&amp;&#39;)&lt;"));
        assert!(page.contains("href=\"./javascript%3Aalert%281%29\""));
        assert!(page.contains("href=\"./a%3Fb%23c%2541\""));
        assert!(page.contains("href=\"./%FF%FE\""));
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(5 << 40), "5.0 TiB");
        assert_eq!(size(u64::MAX), "16777216.0 TiB");
    }
}
