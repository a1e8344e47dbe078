//! What is an app called that was given no name?

/// The text after the last slash, cut at the last dot, as in PM2: `./a/b.c.js` is `b.c`, and
/// `python3 app.py --x` is `python3 app`. What would leave nothing (`.bashrc`, `x/`) is not cut.
pub(crate) fn name_of(script: &str) -> String {
    let script = script.trim();
    let last = script
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(script);
    let name = match last.rfind('.') {
        Some(dot) if dot > 0 => &last[..dot],
        _ => last,
    };
    let name: String = name
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::name_of;

    #[test]
    fn names_are_those_of_pm2() {
        for (script, name) in [
            ("app.js", "app"),
            ("./a/b.c.js", "b.c"),
            ("/srv/web", "web"),
            ("npm run start", "npm run start"),
            ("python3 app.py --a", "python3 app"),
            ("node /srv/x/app.js --port 3", "app"),
            ("x/.bashrc", ".bashrc"),
            ("folder/", "folder"),
            ("a\nb.sh", "a b"),
        ] {
            assert_eq!(name_of(script), name, "{script}");
        }
    }
}
