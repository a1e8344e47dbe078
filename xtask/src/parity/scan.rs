//! Which of our tests say that they assert one of Node's: `/// node: NAME`.
//!
//! Read line by line, as rustfmt leaves the sources: attributes and documentation stand above the
//! item, one to a line, and a macro's invocation is indented deeper than its name.

use std::collections::BTreeSet;

/// A file of ours; the path is relative to the repository.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

/// A function that `cargo test` runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OurTest {
    pub(super) path: String,
    pub(super) function: String,
}

/// One `/// node: NAME`, and the test that it stands above or why it stands above none.
#[derive(Debug)]
pub(super) struct Marker {
    pub(super) line: usize,
    pub(super) node: String,
    pub(super) test: Result<OurTest, String>,
}

/// The macros whose text has a `#[test]`: what they are given are tests.
pub(super) fn test_macros(sources: &[Source]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in sources {
        let mut current: Option<(&str, usize)> = None;
        for line in source.text.lines() {
            let (depth, words) = (indent(line), line.trim_start());
            if let Some(name) = words.strip_prefix("macro_rules!") {
                current = Some((identifier(name), depth));
            } else if let Some((name, from)) = current {
                if depth <= from && words.starts_with(['}', ')', ']']) {
                    current = None;
                } else if words.starts_with("#[") && is_test(words) {
                    found.insert(name.to_owned());
                }
            }
        }
    }
    found
}

/// All markers of a file, in their order.
pub(super) fn markers(source: &Source, macros: &BTreeSet<String>) -> Vec<Marker> {
    let mut found = Vec::new();
    let mut head = Head::default();
    // Depths of the test macros' invocations that are open.
    let mut inside: Vec<usize> = Vec::new();
    for (number, line) in (1..).zip(source.text.lines()) {
        let (depth, words) = (indent(line), line.trim());
        if head.attribute_is_open() {
            head.attribute(words);
        } else if let Some(name) = words.strip_prefix("/// node:") {
            head.names.push((number, name.trim().to_owned()));
        } else if let Some(comment) = words.strip_prefix("//") {
            let comment = comment.trim_start_matches(['/', '!', ' ']).to_lowercase();
            if comment.starts_with("node: test-") {
                found.push(Marker {
                    line: number,
                    node: comment,
                    test: Err("a marker is documentation of the test: `/// node: NAME`".to_owned()),
                });
            }
        } else if words.starts_with("#[") {
            head.attribute(words);
        } else if !words.is_empty() {
            while inside.last().is_some_and(|from| depth <= *from) {
                inside.pop();
            }
            let invoked = invocation(words).filter(|(name, _)| macros.contains(*name));
            let test = item(words, &head, invoked, !inside.is_empty());
            for (line, node) in std::mem::take(&mut head).names {
                let test = test.clone().map(|function| OurTest {
                    path: source.path.clone(),
                    function,
                });
                found.push(Marker { line, node, test });
            }
            if invoked.is_some() && !closes(words) {
                inside.push(depth);
            }
        }
    }
    for (line, node) in head.names {
        let test = Err("nothing comes after the marker".to_owned());
        found.push(Marker { line, node, test });
    }
    found.sort_by_key(|marker| marker.line);
    found
}

/// What stands above an item.
#[derive(Debug, Default)]
struct Head {
    names: Vec<(usize, String)>,
    attributes: Vec<String>,
    open: i32,
}

impl Head {
    fn attribute_is_open(&self) -> bool {
        self.open > 0
    }

    fn attribute(&mut self, words: &str) {
        if self.open == 0 {
            self.attributes.push(String::new());
        }
        if let Some(last) = self.attributes.last_mut() {
            last.push_str(words);
        }
        for byte in words.bytes() {
            self.open += match byte {
                b'[' => 1,
                b']' => -1,
                _ => 0,
            };
        }
        // An attribute and its item on one line are not what rustfmt writes.
        self.open = self.open.max(0);
    }

    fn says(&self, what: impl Fn(&str) -> bool) -> bool {
        self.attributes.iter().any(|attribute| what(attribute))
    }
}

/// The name of the test that an item is, if it is one that is run.
fn item(
    words: &str,
    head: &Head,
    invoked: Option<(&str, &str)>,
    in_test_macro: bool,
) -> Result<String, String> {
    if head.says(is_ignored) {
        return Err("the test is ignored, so it shows nothing".to_owned());
    }
    if let Some((_, rest)) = invoked {
        let name = identifier(rest.strip_prefix("fn ").unwrap_or(rest));
        return if name.is_empty() {
            Err("the marker belongs above the test inside of the macro".to_owned())
        } else {
            Ok(name.to_owned())
        };
    }
    let function = words
        .split_once("fn ")
        .filter(|(before, _)| {
            before
                .split_whitespace()
                .all(|word| matches!(word, "pub" | "async" | "pub(crate)"))
        })
        .map(|(_, after)| identifier(after));
    match function {
        Some(name) if head.says(is_test) || in_test_macro => Ok(name.to_owned()),
        Some(name) => Err(format!("{name} is no test")),
        None if in_test_macro && !identifier(words).is_empty() => Ok(identifier(words).to_owned()),
        None => Err(format!("no test comes after the marker, but {words:?}")),
    }
}

/// `#[test]`, `#[tokio::test]` with or without arguments.
fn is_test(attribute: &str) -> bool {
    let path = attribute.trim_start_matches("#[");
    let path = path.split(['(', ']', ' ']).next().unwrap_or_default();
    path == "test" || path.ends_with("::test")
}

fn is_ignored(attribute: &str) -> bool {
    let path = attribute.trim_start_matches("#[");
    path.starts_with("ignore") || (path.starts_with("cfg_attr") && path.contains("ignore"))
}

/// `name! {`, `name!(`: the name, and what follows the bracket.
fn invocation(words: &str) -> Option<(&str, &str)> {
    let (name, rest) = words.split_once('!')?;
    let name = name.rsplit("::").next().unwrap_or(name);
    let rest = rest.trim_start().strip_prefix(['{', '(', '['])?;
    (identifier(name) == name && !name.is_empty()).then_some((name, rest.trim_start()))
}

/// Whether brackets that a line opens are closed on it.
fn closes(words: &str) -> bool {
    words.ends_with([';', '}', ')'])
}

/// The identifier that a text begins with, blanks not counted.
fn identifier(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Vec<(usize, String, Result<String, String>)> {
        let source = Source {
            path: "a.rs".to_owned(),
            text: text.to_owned(),
        };
        let macros = test_macros(std::slice::from_ref(&source));
        markers(&source, &macros)
            .into_iter()
            .map(|m| (m.line, m.node, m.test.map(|t| t.function)))
            .collect()
    }

    fn one(text: &str) -> Result<String, String> {
        let mut all = scan(text);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0).2
    }

    #[test]
    fn the_marker_may_stand_before_and_after_attributes_and_other_documentation() {
        for head in [
            "#[test]\n/// node: a\n/// More.\n",
            "/// Words.\n///\n/// node: a\n#[test]\n",
            "/// node: a\n#[cfg(\n    any(a, b[1])\n)]\n// why\n#[tokio::test(flavor = \"x\")]\nasync ",
        ] {
            assert_eq!(one(&format!("{head}fn shows() {{\n}}\n")).unwrap(), "shows");
        }
    }

    #[test]
    fn several_markers_belong_to_one_test_and_none_to_the_next() {
        let all = scan("/// node: a\n/// node: b\n#[test]\nfn x() {}\n\n#[test]\nfn y() {}\n");
        let names: Vec<_> = all
            .iter()
            .map(|(_, n, t)| (n.as_str(), t.clone()))
            .collect();
        assert_eq!(
            names,
            [("a", Ok("x".to_owned())), ("b", Ok("x".to_owned()))]
        );
    }

    #[test]
    fn what_is_not_run_shows_nothing() {
        for (text, complaint) in [
            ("/// node: a\nfn helper() {}\n", "helper is no test"),
            (
                "#[test]\nfn x() {}\n/// node: a\nfn y() {}\n",
                "y is no test",
            ),
            (
                "/// node: a\n#[test]\n#[ignore = \"slow\"]\nfn x() {}\n",
                "ignored",
            ),
            ("/// node: a\nstruct X;\n", "but \"struct X;\""),
            ("/// node: a\n", "nothing comes"),
            ("// node: test-a\n#[test]\nfn x() {}\n", "is documentation"),
            ("//! node: test-a\n", "is documentation"),
            ("/// Node: test-a\n#[test]\nfn x() {}\n", "is documentation"),
        ] {
            let error = one(text).unwrap_err();
            assert!(error.contains(complaint), "{text:?}: {error}");
        }
    }

    #[test]
    fn what_a_macro_makes_tests_of_is_a_test() {
        let define = "macro_rules! on_each {\n    ($($x:tt)*) => {\n        #[test]\n        fn x() \
                      {}\n    };\n}\n\n";
        for (rest, name) in [
            (
                "on_each! {\n    /// node: a\n    fn serves(node: Node) {\n        f();\n    }\n}\n",
                "serves",
            ),
            (
                "on_each! {\n    first: 1;\n    /// node: a\n    second: 2;\n}\n",
                "second",
            ),
            ("/// node: a\non_each!(third, 3);\n", "third"),
        ] {
            assert_eq!(
                one(&format!("{define}{rest}")).as_deref(),
                Ok(name),
                "{rest}"
            );
        }
        let other = define.replace("#[test]", "#[inline]") + "/// node: a\non_each!(third, 3);\n";
        assert!(one(&other).is_err());
        let after = define.to_owned() + "on_each! {\n    x: 1;\n}\n/// node: a\nfn plain() {}\n";
        assert_eq!(one(&after), Err("plain is no test".to_owned()));
    }
}
