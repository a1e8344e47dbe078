//! set, get, unset, conf: what did the user settle?

use super::super::registry::Registry;
use crate::settings::{Settings, SettingsError};
use tine_control::reply::{Done, Settings as Answer};
use tine_control::request::{Get, Set, Unset};
use tine_control::{ErrorCode, Failure, What};

pub(super) fn set(registry: &Registry, set: &Set) -> Result<Done, Failure> {
    let mut settings = load(registry)?;
    settings.set(&set.key, &set.value).map_err(failure)?;
    let key = set.key.clone();
    registry.publish(What::Setting { key });
    Ok(Done {})
}

pub(super) fn get(registry: &Registry, get: &Get) -> Result<Answer, Failure> {
    let settings = load(registry)?.get(&get.key).map_err(failure)?;
    Ok(Answer { settings })
}

pub(super) fn unset(registry: &Registry, unset: &Unset) -> Result<Done, Failure> {
    let mut settings = load(registry)?;
    settings.unset(&unset.key).map_err(failure)?;
    let key = unset.key.clone();
    registry.publish(What::Setting { key });
    Ok(Done {})
}

pub(super) fn conf(registry: &Registry) -> Result<Answer, Failure> {
    let settings = load(registry)?.all();
    Ok(Answer { settings })
}

/// Read each time: an editor may have been there in between.
fn load(registry: &Registry) -> Result<Settings, Failure> {
    Settings::load(&registry.home).map_err(failure)
}

fn failure(error: SettingsError) -> Failure {
    let code = match &error {
        SettingsError::NotSet { .. } => ErrorCode::NotFound,
        SettingsError::Unwritten(_) | SettingsError::Unreadable { .. } => ErrorCode::Failed,
        _ => ErrorCode::Invalid,
    };
    let hint = error.hint();
    Failure::new(code, error.to_string()).hint(hint)
}
