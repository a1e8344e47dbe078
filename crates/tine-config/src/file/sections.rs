//! Which apps are in a process file, whatever its shape?

use super::node::{Entry, Node, Value};
use super::read::Document;
use crate::problem::{Found, Place, Problem};
use crate::resolve::nearest;
use tine_control::refused;

/// The keys beside each other at the top.
const APPS: &[&str] = &["apps", "pm2"];
const SECTIONS: &[&str] = &["apps", "pm2", "static", "deploy"];
/// The keys that make an object an app.
const SCRIPT: &[&str] = &["script", "exec", "cmd", "command"];

/// What a process file has.
#[derive(Default)]
pub(super) struct Sections<'n> {
    pub(super) apps: Vec<Written<'n>>,
    /// The variables that `deploy` has for this environment.
    pub(super) deploy_env: Option<&'n Node>,
}

/// An app as it is written.
pub(super) struct Written<'n> {
    pub(super) node: &'n Node,
    /// The name that its key gives it.
    pub(super) name: Option<&'n str>,
    /// Such as `apps[0]`.
    pub(super) label: String,
    /// It is an entry of `static`.
    pub(super) is_static: bool,
    pub(super) place: Option<Place>,
}

/// Takes a process file apart.
pub(super) fn read<'n>(
    document: &'n Document,
    env: Option<&str>,
    found: &mut Found,
) -> Sections<'n> {
    let root = &document.root;
    let mut sections = Sections::default();
    let map = match &root.value {
        Value::List(_) => {
            apps(&mut sections, root, "apps", root.place, found);
            return sections;
        }
        Value::Map(map) => map,
        _ => {
            found.add(
                Problem::error(format!(
                    "expected an object with `apps`, found {}",
                    root.described()
                ))
                .hint("write { \"apps\": [...] }")
                .at(root.place),
            );
            return sections;
        }
    };
    if !map
        .iter()
        .any(|entry| SECTIONS.contains(&entry.key.as_str()))
    {
        if is_app(root) {
            sections.apps.push(Written {
                node: root,
                name: None,
                label: "apps[0]".to_owned(),
                is_static: false,
                place: root.place,
            });
        } else {
            found.add(no_apps(document, map));
        }
        return sections;
    }
    let is_package = document
        .shown
        .file_name()
        .is_some_and(|name| name == "package.json");
    for entry in map {
        let place = document.place_of(entry);
        match entry.key.as_str() {
            key if APPS.contains(&key) => apps(&mut sections, &entry.node, key, place, found),
            "static" => statics(&mut sections, entry, place, found),
            "deploy" => {
                sections.deploy_env = env
                    .and_then(|env| entry.node.get(env)?.get("env"))
                    .or(sections.deploy_env);
                if let Some(section) = refused::section("deploy")
                    && !section.is_switched_off_by(&entry.node.to_json())
                {
                    found.add(Problem::warning(section.reason).field("deploy").at(place));
                }
            }
            "$schema" => {}
            _ if is_package => {}
            key => found.add(unknown(key, SECTIONS.iter().copied()).at(place)),
        }
    }
    sections
}

/// A warning with what may have been meant.
pub(super) fn unknown<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> Problem {
    let problem = Problem::warning("is not known, and nothing is done about it").field(key);
    match nearest(key, known) {
        Some(near) => problem.hint(format!("there is `{near}`")),
        None => problem.hint("remove it"),
    }
}

fn is_app(node: &Node) -> bool {
    SCRIPT.iter().any(|key| node.get(key).is_some())
}

fn no_apps(document: &Document, map: &[Entry]) -> Problem {
    let meant = map.iter().find_map(|entry| {
        let near = nearest(&entry.key, SECTIONS.iter().chain(SCRIPT).copied())?;
        Some((entry, near))
    });
    let problem = Problem::error("it has no `apps`");
    match meant {
        Some((entry, near)) => problem
            .hint(format!("`{}` may have been meant as `{near}`", entry.key))
            .at(document.place_of(entry)),
        None => problem
            .hint("write { \"apps\": [{ \"script\": ... }] }, or [[apps]] in TOML")
            .at(document.root.place),
    }
}

fn apps<'n>(
    sections: &mut Sections<'n>,
    node: &'n Node,
    key: &str,
    place: Option<Place>,
    found: &mut Found,
) {
    let mut add = |node: &'n Node, name, label, place| {
        if node.map().is_some() {
            sections.apps.push(Written {
                node,
                name,
                label,
                is_static: false,
                place: node.place.or(place),
            });
        } else {
            found.add(
                Problem::error(format!("expected an object, found {}", node.described()))
                    .hint("an app is an object with a `script`")
                    .field(label)
                    .at(node.place.or(place)),
            );
        }
    };
    match &node.value {
        Value::Null => {}
        Value::List(list) => {
            for (index, node) in list.iter().enumerate() {
                add(node, None, format!("{key}[{index}]"), None);
            }
        }
        Value::Map(_) if is_app(node) => add(node, None, key.to_owned(), place),
        Value::Map(map) => {
            for entry in map {
                let label = format!("{key}.{}", entry.key);
                add(&entry.node, Some(&entry.key), label, entry.place);
            }
        }
        _ => found.add(
            Problem::error(format!(
                "expected a list of apps, found {}",
                node.described()
            ))
            .hint("write a list of objects, each with a `script`")
            .field(key)
            .at(node.place.or(place)),
        ),
    }
}

fn statics<'n>(
    sections: &mut Sections<'n>,
    entry: &'n Entry,
    place: Option<Place>,
    found: &mut Found,
) {
    let list: &[Node] = match &entry.node.value {
        Value::Null => return,
        Value::List(list) => list,
        _ => std::slice::from_ref(&entry.node),
    };
    for (index, node) in list.iter().enumerate() {
        let label = format!("static[{index}]");
        if node.map().is_some() {
            sections.apps.push(Written {
                node,
                name: None,
                label,
                is_static: true,
                place: node.place.or(place),
            });
        } else {
            found.add(
                Problem::error(format!("expected an object, found {}", node.described()))
                    .hint("an entry has a path and a port")
                    .field(label)
                    .at(node.place.or(place)),
            );
        }
    }
}
