//! `tine serve`: a folder over HTTP, as an app like any other.

use std::io::{Read as _, Write as _};

use crate::support::*;

#[test]
fn a_folder_is_served_by_an_app_in_the_list() {
    let home = Home::new();
    home.write("public/index.html", "<p>front</p>");
    home.write("public/sub/page.txt", "a page");
    let port = home.port().to_string();
    home.ok(["serve", "public", &port, "--name", "site"]);
    assert_eq!(home.process("site")["status"], "online");
    let page = |path: &str| until("an answer", SECONDS, || home.get(path)).text();
    assert_eq!(page("/"), "<p>front</p>");
    assert_eq!(page("/sub/page.txt"), "a page");
    assert_eq!(home.get("/missing").unwrap().status, 404);
    for path in [
        "/../.tine/daemon.log",
        "/%2e%2e/.tine/daemon.log",
        "/sub/..%2f..%2fapp",
    ] {
        let status = home.get(path).unwrap().status;
        assert!([400, 403, 404].contains(&status), "{path}: {status}");
    }
    home.ok(["scale", "site", "2"]);
    home.ok(["reload", "site"]);
    assert_eq!(page("/"), "<p>front</p>");
    home.ok(["delete", "site"]);
}

#[test]
fn one_page_for_all_paths() {
    let home = Home::new();
    home.write("public/index.html", "<p>front</p>");
    let port = home.port().to_string();
    home.ok(["serve", "public", "--port", &port, "--spa"]);
    let answer = until("an answer", SECONDS, || home.get("/any/path"));
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "<p>front</p>")
    );
}

#[test]
fn folders_are_listed_when_asked_for_and_on_one_address() {
    let home = Home::new();
    home.write("public/sub/page.txt", "a page");
    let port = home.port().to_string();
    let words = [
        "serve",
        "public",
        &port,
        "--ftp",
        "--host",
        "127.0.0.1",
        "-i",
        "2",
        "-n",
        "site",
    ];
    let said = home.ok([&words[..], &["--json"]].concat());
    assert_eq!(said.json()["processes"].as_array().unwrap().len(), 2);
    let answer = until("an answer", SECONDS, || home.get("/sub/"));
    assert!(answer.text().contains("page.txt"), "{}", answer.text());
    let listens = home.process("site")["listening"][0].clone();
    assert_eq!(listens, format!("127.0.0.1:{port}"));
    // Once more: that is there already, unless further ones are wanted.
    home.run(words).is(1).says("site");
    home.ok([&words[..], &["--force", "--no-wait"]].concat());
    until("four processes", SECONDS, || home.list().len() == 4);
}

#[test]
fn with_a_password() {
    let home = Home::new();
    home.write("public/index.html", "<p>secret</p>");
    let port = home.port().to_string();
    let words = ["serve", "public", &port, "--basic-auth-username", "me"];
    home.ok([&words[..], &["--basic-auth-password", "pass-word"]].concat());
    let answer = until("an answer", SECONDS, || home.get("/"));
    assert_eq!(answer.status, 401);
    assert!(!answer.text().contains("secret"));
    // me:pass-word, as RFC 7617 has it.
    let mut stream = std::net::TcpStream::connect(home.address()).unwrap();
    let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Authorization: Basic bWU6cGFzcy13b3Jk\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("secret"),
        "{answer}"
    );
    // Anybody can read the words of a process.
    for pid in home.processes() {
        let words = command_line(pid).join(" ");
        assert!(!words.contains("pass-word"), "{words}");
    }
}

#[test]
fn what_cannot_be_served() {
    let home = home();
    home.run(["serve", "no-such-folder"])
        .is(3)
        .says("no-such-folder");
    home.run(["serve", "app.sh"]).is(3).says("app.sh");
    home.run(["serve", ".", "99999"]).is(2);
    home.run(["serve", ".", "--monitor"]).is(2);
    assert!(home.processes().is_empty());
}
