//! Which variables does a process file give an app?

use super::node::{Node, Value};
use crate::problem::Problem;
use std::collections::BTreeMap;

/// Variables in the order in which they were written; nothing for those that are to be removed.
#[derive(Default, Clone)]
pub(super) struct Variables(Vec<(String, Option<String>)>);

impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

impl Variables {
    /// Reads an object: lists and objects become JSON, numbers and booleans texts, and `null`
    /// removes a variable.
    pub(super) fn read(key: &str, node: &Node) -> Result<Variables, Vec<Problem>> {
        let Some(map) = node.map() else {
            return Err(vec![
                Problem::error(format!(
                    "expected an object of variables, found {}",
                    node.described()
                ))
                .field(key)
                .at(node.place),
            ]);
        };
        let mut all = Vec::new();
        let mut problems = Vec::new();
        for entry in map {
            let value = match &entry.node.value {
                Value::Null => None,
                Value::Text(text) => Some(text.clone()),
                Value::Odd(odd) => {
                    problems.push(
                        Problem::error(format!("expected a text, found {odd}"))
                            .field(format!("{key}.{}", entry.key))
                            .at(entry.node.place.or(entry.place)),
                    );
                    continue;
                }
                _ => Some(entry.node.to_json().to_string()),
            };
            all.push((entry.key.clone(), value));
        }
        if problems.is_empty() {
            Ok(Variables(all))
        } else {
            Err(problems)
        }
    }

    /// Puts these over others.
    pub(super) fn over(&self, others: &mut BTreeMap<String, String>) {
        for (name, value) in &self.0 {
            match value {
                Some(value) => {
                    others.insert(name.clone(), value.clone());
                }
                None => {
                    others.remove(name);
                }
            }
        }
    }
}
