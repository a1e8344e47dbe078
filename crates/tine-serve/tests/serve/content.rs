//! How a file is sent: whole, in part, compressed, or not again.

use crate::Test;
use crate::common::{Answer, Server};
use crate::site::folder;
use std::io::Read as _;

pub(crate) const TESTS: &[Test] = &[
    ("what_has_not_changed_is_not_sent_again", not_sent_again),
    ("a_part_is_sent_if_it_is_of_the_same_file", ranges),
    ("text_is_compressed_for_who_can_read_that", compressed),
    ("how_long_a_file_may_be_kept_is_said", max_age),
];

fn not_sent_again() {
    let folder = folder(&[("a.txt", "one")]);
    let server = Server::start(folder.path(), &[]);
    let first = server.get("/a.txt", "");
    let tag = first.header("etag").unwrap().to_owned();
    let date = first.header("last-modified").unwrap().to_owned();
    for condition in [
        format!("If-None-Match: {tag}\r\n"),
        format!("If-None-Match: \"other\", W/{tag}\r\n"),
        format!("If-Modified-Since: {date}\r\n"),
    ] {
        let answer = server.get("/a.txt", &condition);
        assert_eq!((answer.status, answer.text()), (304, ""), "{condition}");
        assert_eq!(answer.header("etag"), Some(&*tag));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
    }
    std::fs::write(folder.path().join("a.txt"), "two!").unwrap();
    let answer = server.get("/a.txt", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((answer.status, answer.text()), (200, "two!"));
    let answer = server.get("/a.txt", &format!("If-Match: {tag}\r\n"));
    assert_eq!(answer.status, 412);
}

fn ranges() {
    let folder = folder(&[("a.bin", "0123456789")]);
    let server = Server::start(folder.path(), &[]);
    let get = |headers: &str| server.get("/a.bin", headers);
    for (range, part, of) in [
        ("2-4", "234", "bytes 2-4/10"),
        ("7-", "789", "bytes 7-9/10"),
        ("-2", "89", "bytes 8-9/10"),
        ("5-99", "56789", "bytes 5-9/10"),
    ] {
        let answer = get(&format!(
            "Range: bytes={range}\r\nAccept-Encoding: gzip\r\n"
        ));
        assert_eq!((answer.status, answer.text()), (206, part));
        assert_eq!(answer.header("content-range"), Some(of));
        assert_eq!(
            answer.header("content-length"),
            Some(&*part.len().to_string())
        );
    }
    let answer = get("Range: bytes=10-\r\n");
    assert_eq!((answer.status, answer.text()), (416, ""));
    assert_eq!(answer.header("content-range"), Some("bytes */10"));

    let whole = |answer: &Answer| (answer.status, answer.text().len()) == (200, 10);
    assert!(whole(&get("Range: lines=1-2\r\n")), "no unit of ours");
    assert!(whole(&get("Range: bytes=0-1,3-4\r\n")), "two parts");
    let head = server.ask("HEAD", "/a.bin", "Range: bytes=1-2\r\n");
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("10"))
    );

    let answer = get("");
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    for name in ["etag", "last-modified"] {
        let same = answer.header(name).unwrap();
        let part = get(&format!("Range: bytes=1-1\r\nIf-Range: {same}\r\n"));
        assert_eq!((part.status, part.text()), (206, "1"));
    }
    for other in ["\"other\"", "Sun, 06 Nov 1994 08:49:37 GMT", "W/\"x\""] {
        assert!(whole(&get(&format!(
            "Range: bytes=1-1\r\nIf-Range: {other}\r\n"
        ))));
    }
}

fn compressed() {
    let long = "all the same ".repeat(1000);
    let folder = folder(&[
        ("a.txt", &long),
        ("a.png", &long),
        ("b.txt", "short"),
        ("d.js", &long),
    ]);
    let server = Server::start(folder.path(), &[]);
    let get =
        |path: &str, accepts: &str| server.get(path, &format!("Accept-Encoding: {accepts}\r\n"));

    let gzip = get("/a.txt", "gzip, deflate");
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&gzip.body[..])
        .read_to_string(&mut text)
        .unwrap();
    assert!(text == long && gzip.body.len() < long.len() / 10);

    let br = get("/d.js", "gzip, deflate, br, zstd");
    assert_eq!(br.header("content-encoding"), Some("br"));
    let mut text = String::new();
    brotli_decompressor::Decompressor::new(&br.body[..], 4096)
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, long);

    let plain = get("/a.txt", "identity");
    assert_eq!(
        (plain.header("content-encoding"), plain.text()),
        (None, &*long)
    );
    for answer in [&gzip, &br, &plain, &get("/a.txt", "gzip;q=0")] {
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
    }
    for path in ["/a.png", "/b.txt"] {
        assert_eq!(get(path, "gzip").header("content-encoding"), None, "{path}");
    }
    let head = server.ask("HEAD", "/a.txt", "Accept-Encoding: gzip\r\n");
    assert_eq!(
        (head.header("content-encoding"), head.text()),
        (Some("gzip"), "")
    );

    // Other bytes with the same tag: a weak one, which still tells that nothing has changed.
    let (weak, strong) = (gzip.header("etag").unwrap(), plain.header("etag").unwrap());
    assert_eq!(weak, format!("W/{strong}"));
    let again = server.get(
        "/a.txt",
        &format!("Accept-Encoding: gzip\r\nIf-None-Match: {weak}\r\n"),
    );
    assert_eq!(again.status, 304);
}

fn max_age() {
    let folder = folder(&[("a.css", "a"), ("a.html", "a")]);
    let server = Server::start(folder.path(), &[("SERVE_TEST_MAX_AGE", "3600000")]);
    let says = |path: &str| {
        server
            .get(path, "")
            .header("cache-control")
            .unwrap()
            .to_owned()
    };
    assert_eq!(says("/a.css"), "public, max-age=3600");
    assert_eq!(says("/a.html"), "no-cache");
    assert_eq!(says("/none"), "no-cache");
}
