//! `cargo xtask features`: the published crates build with every choice of their features.

use serde_json::Value;

use crate::Result;
use crate::step::{PUBLISHED, packages, step};

/// More choices than this would take longer than they are worth: then somebody has to think.
const MOST: usize = 6;

/// Clippy of the library, without a warning, for every crate and every choice.
pub(crate) fn main() -> Result<()> {
    let packages = packages()?;
    for name in PUBLISHED {
        let package = packages
            .iter()
            .find(|package| package["name"] == name)
            .ok_or_else(|| format!("the workspace has no {name}"))?;
        let features = features(package);
        if features.len() > MOST {
            return Err(format!(
                "{name} has {} features: too many to try every choice of them",
                features.len()
            ));
        }
        for choice in choices(&features) {
            let list = choice.join(",");
            let clippy = [
                "clippy",
                "--package",
                name,
                "--no-default-features",
                "--features",
                &list,
            ];
            let clippy = [&clippy[..], &["--", "--deny", "warnings"]].concat();
            step("cargo", &clippy, &[])?;
        }
    }
    Ok(())
}

/// The features of a package; `default` is a choice of the others.
fn features(package: &Value) -> Vec<&str> {
    let all = package["features"].as_object().into_iter().flatten();
    all.map(|(name, _)| name.as_str())
        .filter(|name| *name != "default")
        .collect()
}

/// Every subset, none and all included.
fn choices<'a>(features: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut all = vec![Vec::new()];
    for feature in features {
        for index in 0..all.len() {
            let mut with = all[index].clone();
            with.push(*feature);
            all.push(with);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_made_once() {
        assert_eq!(choices(&[]), [Vec::<&str>::new()]);
        let three = choices(&["a", "b", "c"]);
        let mut words: Vec<String> = three.iter().map(|c| c.concat()).collect();
        words.sort();
        assert_eq!(words, ["", "a", "ab", "abc", "ac", "b", "bc", "c"]);
    }

    #[test]
    fn default_is_no_feature_of_its_own() {
        let package = serde_json::json!({"features": {"default": ["unix"], "unix": []}});
        assert_eq!(features(&package), ["unix"]);
        assert!(features(&serde_json::json!({"features": {}})).is_empty());
    }
}
