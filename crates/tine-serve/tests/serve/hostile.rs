//! Those who want what is not theirs, or want the server to have no time for others.

use crate::Test;
use crate::common::{Answer, PATIENCE, Server};
use crate::site::folder;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

pub(crate) const TESTS: &[Test] = &[
    ("nothing_outside_of_the_folder_is_served", outside),
    ("no_path_leads_to_another_host", another_host),
    ("huge_and_broken_requests_are_refused", huge_and_broken),
    ("slow_clients_are_cut_off_and_disturb_nobody", slow_clients),
    ("who_takes_nothing_is_cut_off", who_takes_nothing),
];

fn outside() {
    let outside = folder(&[
        ("secret", "SECRET"),
        ("www/index.html", "home"),
        ("www/sub/x", "x"),
    ]);
    let www = outside.path().join("www");
    symlink("../secret", www.join("link")).unwrap();
    symlink("..", www.join("sub/up")).unwrap();
    symlink("../..", www.join("sub/upper")).unwrap();
    let server = Server::start(
        &www,
        &[("PM2_SERVE_FTP", "true"), ("SERVE_TEST_HIDDEN", "1")],
    );
    let absolute = outside.path().join("secret").display().to_string();
    for path in [
        "/../secret",
        "/..%2fsecret",
        "/%2e%2e/secret",
        "/.%2e/secret",
        "/%2e%2e%2fsecret",
        "/sub/../../secret",
        "/sub/%2e%2e/%2e%2e/secret",
        "/..\\secret",
        "/..%5csecret",
        "/%252e%252e/secret",
        "/..%c0%afsecret",
        "/..%00/secret",
        "/index.html%00/../../secret",
        "/./../secret",
        "/....//secret",
        &format!("/{absolute}"),
        &format!("/{}", absolute.replace('/', "%2f")),
        "/sub/upper/secret",
        "/sub/upper/",
        "/link",
        "/link/",
        "secret",
        "*",
        "/;/../secret",
        "/%",
        "/%f",
    ] {
        let end = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let mut requests = vec![
            format!("GET {path} {end}"),
            format!("GET {path} HTTP/1.0\r\n\r\n"),
        ];
        if path.starts_with('/') {
            requests.push(format!("GET http://x{path} {end}"));
        }
        for line in requests {
            let answer = server.say(line.as_bytes());
            assert!(
                (400..500).contains(&answer.status),
                "{line}: {}",
                answer.status
            );
            assert!(!answer.text().contains("SECRET"));
        }
    }
    let answer = server.get("/link", "");
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("leads out of the folder"));
    assert_eq!(
        server.get("/sub/up/sub/x", "").text(),
        "x",
        "that stays within"
    );
    assert_eq!(server.get("/", "").text(), "home");
}

fn another_host() {
    let folder = folder(&[("evil.com/index.html", "x"), ("a:b/index.html", "x")]);
    let server = Server::start(folder.path(), &[]);
    for path in [
        "//evil.com",
        "//evil.com/..",
        "///evil.com",
        "/%2fevil.com",
        "/\\evil.com",
    ] {
        assert!(server.get(path, "").header("location").is_none(), "{path}");
    }
    assert_eq!(
        server.get("/evil.com", "").header("location"),
        Some("./evil.com/")
    );
    assert_eq!(server.get("/a:b", "").header("location"), Some("./a%3Ab/"));
    // Nor does what is asked for get into the head of the answer.
    let answer = server.get("/evil.com?a%0d%0aSet-Cookie:x", "");
    assert_eq!(answer.header("set-cookie"), None);
}

fn huge_and_broken() {
    let folder = folder(&[("index.html", "home")]);
    let server = Server::start(folder.path(), &[]);
    let long = "x".repeat(100_000);
    let many = "X: y\r\n".repeat(1000);
    for (request, statuses) in [
        (
            format!("GET / HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n"),
            &[431][..],
        ),
        (
            format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
            &[414, 431],
        ),
        (format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n"), &[431]),
        ("nonsense\r\n\r\n".to_owned(), &[400]),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), &[400]),
        ("GET  / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), &[400]),
        (
            "GET / HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n".to_owned(),
            &[400],
        ),
        ("\u{16}\u{3}\u{1}\0\u{1}\r\n\r\n".to_owned(), &[400]),
    ] {
        let answer = server.say(request.as_bytes());
        let begin = &request[..request.len().min(80)];
        assert!(
            statuses.contains(&answer.status),
            "{begin}: {}",
            answer.status
        );
    }
    assert_eq!(server.get("/", "").text(), "home");
}

fn slow_clients() {
    let folder = folder(&[("index.html", "home")]);
    let server = Server::start(folder.path(), &[("SERVE_TEST_HEAD", "300")]);
    let mut slow: Vec<_> = (0..50).map(|_| server.connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET / HTTP/1.1\r\nX-").unwrap();
    }
    let begin = Instant::now();
    assert_eq!(server.get("/", "").text(), "home");
    for mut stream in slow {
        let end = Answer::read(&mut stream);
        assert!(matches!(end.status, 0 | 408), "{}", end.status);
    }
    assert!(begin.elapsed() < PATIENCE, "cut off by the server");
    // One that says nothing after its answer is no better.
    let mut idle = server.connect();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    assert_eq!(Answer::read(&mut idle).status, 200);
}

fn who_takes_nothing() {
    let folder = folder(&[("index.html", "home")]);
    let file = std::fs::File::create(folder.path().join("big.bin")).unwrap();
    file.set_len(1 << 30).unwrap();
    let server = Server::start(folder.path(), &[("SERVE_TEST_STALL", "500")]);
    let mut deaf = server.connect();
    deaf.write_all(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let pid = server.program.pid();
    let open = || {
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let names = descriptors.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
        names.filter(|name| name.ends_with("big.bin")).count()
    };
    tine_testkit::until("it is being sent", PATIENCE, || open() > 0);
    tine_testkit::until("nobody sends it", Duration::from_secs(30), || open() == 0);
    assert_eq!(server.get("/", "").text(), "home");
    drop(deaf);
}
