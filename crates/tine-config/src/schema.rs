//! What does an editor need to know of a process file?

use crate::file::{FIELDS, Field, STATIC_FIELDS};
use serde_json::{Map, Value, json};

/// The JSON Schema (draft 2020-12) of a process file, for JSON, YAML and TOML. Every field has its
/// description from [`AppSpec`](tine_control::AppSpec), and is there under all its names.
#[must_use]
pub fn schema() -> Value {
    let app = serde_json::to_value(tine_control::app::schema()).unwrap_or_default();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A process file of tine",
        "anyOf": [
            { "$ref": "#/$defs/file" },
            { "$ref": "#/$defs/app_list" },
            { "$ref": "#/$defs/app" },
        ],
        "$defs": {
            "file": {
                "type": "object",
                "properties": {
                    "$schema": { "type": "string" },
                    "apps": { "$ref": "#/$defs/apps" },
                    "pm2": { "$ref": "#/$defs/apps" },
                    "static": {
                        "description": "Folders that are served as web sites.",
                        "anyOf": [
                            { "type": "array", "items": { "$ref": "#/$defs/static" } },
                            { "$ref": "#/$defs/static" },
                        ],
                    },
                    "deploy": {
                        "description": "Of PM2; only the `env` in it is used.",
                        "type": "object",
                    },
                },
                "anyOf": [
                    { "required": ["apps"] },
                    { "required": ["pm2"] },
                    { "required": ["static"] },
                ],
                "additionalProperties": false,
            },
            "apps": {
                "description": "The apps: a list, one alone, or an object with an app for each name.",
                "anyOf": [
                    { "$ref": "#/$defs/app_list" },
                    { "$ref": "#/$defs/app" },
                    { "type": "object", "additionalProperties": { "$ref": "#/$defs/app" } },
                ],
            },
            "app_list": { "type": "array", "items": { "$ref": "#/$defs/app" } },
            "app": self::app(&app),
            "static": {
                "type": "object",
                "properties": statics(),
                "additionalProperties": false,
            },
            "variables": {
                "description": "Environment variables. Objects become JSON; null removes one.",
                "type": "object",
            },
            "exit_code": {
                "anyOf": [
                    { "type": "integer", "minimum": 0, "maximum": 255 },
                    { "type": "string", "pattern": "^[0-9]+$" },
                ],
            },
        },
    })
}

fn app(canonical: &Value) -> Value {
    let mut properties = fields(FIELDS, "app", canonical.get("properties"));
    properties.insert(
        "env".to_owned(),
        json!({
            "description": "Environment variables; they win over those of the shell.",
            "$ref": "#/$defs/variables",
        }),
    );
    let script: Vec<Value> = FIELDS
        .iter()
        .filter(|field| field.name == "script")
        .flat_map(Field::names)
        .map(|name| json!({ "required": [name] }))
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "patternProperties": {
            "^env_.+$": {
                "description": "Variables over those of `env`, chosen with `--env`.",
                "$ref": "#/$defs/variables",
            },
        },
        "anyOf": script,
        "additionalProperties": false,
    })
}

fn statics() -> Map<String, Value> {
    let mut properties = fields(STATIC_FIELDS, "static", None);
    let auth = json!({
        "description": "Who may look.",
        "type": "object",
        "properties": {
            "username": { "type": "string" },
            "password": { "type": "string" },
        },
        "required": ["username", "password"],
    });
    for name in ["basic_auth", "basicAuth"] {
        properties.insert(name.to_owned(), auth.clone());
    }
    properties
}

/// Each field under its own name, and the others as references to it.
fn fields(fields: &[Field], of: &str, canonical: Option<&Value>) -> Map<String, Value> {
    let mut properties = Map::new();
    for field in fields {
        let known = canonical.and_then(|all| all.get(field.name));
        let mut schema = Map::new();
        let description = match field.about {
            Some(about) => Some(Value::from(about)),
            None => known.and_then(|known| known.get("description")).cloned(),
        };
        if let Some(description) = description {
            schema.insert("description".to_owned(), description);
        }
        if let Value::Object(shape) = (field.schema)() {
            schema.extend(shape);
        }
        let default = known.and_then(|known| known.get("default")).cloned();
        if let Some(default) = default.filter(|default| !default.is_null() && default != "") {
            schema.insert("default".to_owned(), default);
        }
        for name in field.names() {
            if name == field.name {
                properties.insert(name, Value::Object(schema.clone()));
            } else {
                let own = format!("#/$defs/{of}/properties/{}", field.name);
                properties.insert(name, json!({ "$ref": own }));
            }
        }
    }
    properties
}
