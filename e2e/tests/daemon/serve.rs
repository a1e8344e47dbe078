//! `tine serve`: a folder over HTTP, as an app like any other.

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
    assert_eq!(home.get("/../.tine/daemon.log").unwrap().status, 404);
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
