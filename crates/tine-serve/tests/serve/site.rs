//! Which answer a path gets.

use crate::Test;
use crate::common::Server;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

pub(crate) const TESTS: &[Test] = &[
    (
        "files_are_served_with_their_types",
        files_are_served_with_their_types,
    ),
    (
        "folders_have_a_slash_and_an_index",
        folders_have_a_slash_and_an_index,
    ),
    (
        "what_is_missing_is_404_with_a_page_if_there_is_one",
        missing,
    ),
    (
        "an_application_gets_its_page_for_its_own_paths",
        an_application,
    ),
    ("a_folder_is_listed_if_that_is_asked_for", listing),
    ("only_who_knows_the_password_is_served", password),
    ("other_methods_are_refused", other_methods),
    ("hidden_files_are_served_if_that_is_asked_for", hidden),
];

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn files_are_served_with_their_types() {
    let folder = folder(&[
        ("index.html", "<p>home"),
        ("a b/c.js", "1"),
        ("x.json", "{}"),
        ("x.svg", "<svg/>"),
        ("x.woff2", "f"),
        ("x.mjs", "1"),
        ("x.wasm", "w"),
        ("LICENSE", "free"),
        ("x.unheard", "?"),
        ("ü%2f.txt", "umlaut"),
    ]);
    let server = Server::start(folder.path(), &[]);
    for (path, kind, body) in [
        ("/", "text/html; charset=utf-8", "<p>home"),
        ("/index.html?v=1", "text/html; charset=utf-8", "<p>home"),
        ("/a%20b/c.js", "text/javascript; charset=utf-8", "1"),
        ("/x.mjs", "text/javascript; charset=utf-8", "1"),
        ("/x.json", "application/json", "{}"),
        ("/x.svg", "image/svg+xml", "<svg/>"),
        ("/x.woff2", "font/woff2", "f"),
        ("/x.wasm", "application/wasm", "w"),
        ("/LICENSE", "text/plain; charset=utf-8", "free"),
        ("/x.unheard", "application/octet-stream", "?"),
        ("/%C3%BC%252f.txt", "text/plain; charset=utf-8", "umlaut"),
    ] {
        let answer = server.get(path, "");
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some(kind), "{path}");
        assert_eq!(answer.text(), body);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let head = server.ask("HEAD", path, "");
        assert_eq!((head.status, head.text()), (200, ""));
        for name in ["content-type", "content-length", "etag", "last-modified"] {
            assert!(head.header(name).is_some(), "{name}");
            assert_eq!(head.header(name), answer.header(name), "{name}");
        }
    }
}

fn folders_have_a_slash_and_an_index() {
    let folder = folder(&[("sub/index.html", "sub"), ("bare/x", ""), ("f", "f")]);
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.get("/sub/", "").text(), "sub");
    let answer = server.get("/sub?a=b", "");
    assert_eq!(answer.status, 307);
    assert_eq!(answer.header("location"), Some("./sub/?a=b"));
    for path in ["/", "/bare", "/bare/", "/f/", "/f/x"] {
        assert_eq!(server.get(path, "").status, 404, "{path}");
    }
}

fn missing() {
    let folder = folder(&[("index.html", "home"), ("sub/x", "")]);
    let server = Server::start(folder.path(), &[]);
    let answer = server.get("/none", "");
    assert_eq!((answer.status, answer.text()), (404, "404 Not Found\n"));
    fs::write(folder.path().join("404.html"), "<h1>gone").unwrap();
    for path in ["/none", "/sub/none", "/.env"] {
        let answer = server.get(path, "If-None-Match: *\r\nRange: bytes=0-1\r\n");
        assert_eq!((answer.status, answer.text()), (404, "<h1>gone"));
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("text/html; charset=utf-8"));
        assert_eq!(answer.header("etag"), None);
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
    }
    assert_eq!(server.ask("HEAD", "/none", "").text(), "");
}

fn an_application() {
    let folder = folder(&[("index.html", "app"), ("main.js", "js"), ("sub/x", "x")]);
    let server = Server::start(folder.path(), &[("PM2_SERVE_SPA", "true")]);
    for path in ["/", "/users/7", "/sub/", "/.hidden/x"] {
        let answer = server.get(path, "");
        assert_eq!((answer.status, answer.text()), (200, "app"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
    }
    assert_eq!(server.get("/sub/x", "").text(), "x");
    assert_eq!(server.get("/users/main.js", "").text(), "js");
    assert_eq!(server.get("/../x", "").status, 403);

    let variables = [
        ("PM2_SERVE_SPA", "true"),
        ("PM2_SERVE_HOMEPAGE", "/main.js"),
    ];
    let server = Server::start(folder.path(), &variables);
    assert_eq!(server.get("/", "").text(), "js");
    assert_eq!(server.get("/users/7", "").text(), "js");
}

fn listing() {
    let folder = folder(&[
        ("sub/b<i>.txt", "1234"),
        ("sub/.env", ""),
        ("sub/deep/x", ""),
    ]);
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("sub/out")).unwrap();
    assert_eq!(
        Server::start(folder.path(), &[]).get("/sub/", "").status,
        404
    );
    let server = Server::start(folder.path(), &[("PM2_SERVE_FTP", "true")]);
    let answer = server.get("/sub", "");
    assert_eq!(answer.header("location"), Some("./sub/"));
    let answer = server.get("/sub/", "");
    let kind = answer.header("content-type");
    assert_eq!(
        (answer.status, kind),
        (200, Some("text/html; charset=utf-8"))
    );
    let page = answer.text();
    for shown in [
        "href=\"../\"",
        "href=\"./deep/\"",
        "b&lt;i&gt;.txt",
        "<td>4 B</td>",
    ] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    for other in [".env", "out", "<i>"] {
        assert!(!page.contains(other), "{other} in {page}");
    }
    assert_eq!(server.get("/sub/b%3Ci%3E.txt", "").text(), "1234");
    fs::write(folder.path().join("sub/index.html"), "index").unwrap();
    assert_eq!(server.get("/sub/", "").text(), "index");
}

fn password() {
    let folder = folder(&[("index.html", "private")]);
    let variables = [
        ("PM2_SERVE_BASIC_AUTH", "true"),
        ("PM2_SERVE_BASIC_AUTH_USERNAME", "Aladdin"),
        ("PM2_SERVE_BASIC_AUTH_PASSWORD", "open sesame"),
        ("SERVE_TEST_MAX_AGE", "60000"),
    ];
    let server = Server::start(folder.path(), &variables);
    for wrong in ["", "Authorization: Basic QWxhZGRpbjpvcGVu\r\n"] {
        for path in ["/", "/none", "/../x"] {
            let answer = server.get(path, wrong);
            assert_eq!((answer.status, answer.text()), (401, "401 Unauthorized\n"));
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("Basic realm=\"Authentication service\""));
        }
    }
    let right = "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n";
    assert_eq!(server.get("/", right).text(), "private");
    fs::write(folder.path().join("a.css"), "").unwrap();
    let cache = server.get("/a.css", right);
    assert_eq!(cache.header("cache-control"), Some("private, max-age=60"));
}

fn other_methods() {
    let folder = folder(&[("index.html", "home")]);
    let server = Server::start(folder.path(), &[]);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
        let answer = server.ask(method, "/", "Content-Length: 0\r\n");
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

fn hidden() {
    let folder = folder(&[(".env", "secret"), (".well-known/x", "known")]);
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.get("/.env", "").status, 404);
    assert_eq!(server.get("/.well-known/x", "").text(), "known");
    let server = Server::start(Path::new(folder.path()), &[("SERVE_TEST_HIDDEN", "1")]);
    assert_eq!(server.get("/.env", "").text(), "secret");
}
