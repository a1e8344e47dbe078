//! What does an app look like to an editor?

use super::AppSpec;
use schemars::Schema;

/// The JSON Schema (draft 2020-12) of an [`AppSpec`], with the three fields that have no default
/// as required ones.
#[must_use]
pub fn schema() -> Schema {
    let mut schema = schemars::schema_for!(AppSpec);
    schema.insert(
        "required".to_owned(),
        serde_json::json!(["name", "script", "cwd"]),
    );
    schema
}
