//! What does an app look like after some of its fields were changed?

use super::{AppSpec, Problem};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::ops::{Deref, DerefMut};

/// Fields of an app with their new values, by name. `null` brings a field back to its default;
/// within `env` and `inherited_env` each variable is changed by itself, and `null` removes it.
/// `Debug` shows the names of the fields alone: variables and arguments often hold secrets.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Changes(pub Map<String, Value>);

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Deref for Changes {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Changes {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl From<Map<String, Value>> for Changes {
    fn from(map: Map<String, Value>) -> Self {
        Changes(map)
    }
}

impl AppSpec {
    /// This app with changed fields.
    ///
    /// # Errors
    /// Everything that is wrong with the changes, or else with the app they would make.
    pub fn changed(&self, changes: &Changes) -> Result<AppSpec, Vec<Problem>> {
        let defaults = AppSpec::default();
        let known = fields(&defaults);
        let mut app = self.clone();
        let mut problems = Vec::new();
        for (field, value) in &changes.0 {
            if !known.contains_key(field) {
                problems.push(Problem {
                    field: field.clone(),
                    text: "is not a field of an app".to_owned(),
                    hint: crate::refused::field(field)
                        .map(|refused| refused.reason.to_owned())
                        .unwrap_or_default(),
                });
                continue;
            }
            // One field at a time, so that an error can be ascribed to it.
            let mut all = fields(&app);
            let new = match (value, all.remove(field)) {
                (Value::Null, _) => known.get(field).cloned().unwrap_or_default(),
                (Value::Object(some), Some(Value::Object(old))) => merged(old, some),
                (other, _) => other.clone(),
            };
            all.insert(field.clone(), new);
            match serde_json::from_value(Value::Object(all)) {
                Ok(changed) => app = changed,
                Err(error) => problems.push(Problem {
                    field: field.clone(),
                    text: error.to_string(),
                    hint: String::new(),
                }),
            }
        }
        if problems.is_empty() {
            problems = app.check();
        }
        if problems.is_empty() {
            Ok(app)
        } else {
            Err(problems)
        }
    }

    /// Takes the variables of a shell into `inherited_env`, over those that are there, less what
    /// `filter_env` keeps from the app.
    pub fn inherit<'a>(&mut self, shell: impl IntoIterator<Item = (&'a String, &'a String)>) {
        for (name, value) in shell {
            if !self.filter_env.drops(name) {
                self.inherited_env.insert(name.clone(), value.clone());
            }
        }
    }
}

/// All fields by name. Empty when a path is not UTF-8, which [`AppSpec::check`] refuses.
fn fields(app: &AppSpec) -> Map<String, Value> {
    match serde_json::to_value(app) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

fn merged(mut old: Map<String, Value>, some: &Map<String, Value>) -> Value {
    for (name, value) in some {
        if value.is_null() {
            old.remove(name);
        } else {
            old.insert(name.clone(), value.clone());
        }
    }
    Value::Object(old)
}
