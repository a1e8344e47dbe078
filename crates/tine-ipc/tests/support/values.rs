//! Bodies of any content.

use tine_ipc::{Body, Serialization};

/// Reads a body in all ways there are. It may be refused; what is not must be what it was.
///
/// # Panics
/// When the ways do not agree.
pub(crate) fn look_at(body: &Body) {
    let json = body.to_json();
    let any = body.read::<serde_json::Value>();
    let nothing = body.read::<serde::de::IgnoredAny>();
    match body.value() {
        Ok(value) => {
            let again = Body::from_value(&value).expect("what was read can be written");
            assert_eq!(
                format!("{:?}", again.value().unwrap()),
                format!("{value:?}")
            );
            assert!(nothing.is_ok());
        }
        Err(_) if body.serialization() == Serialization::Advanced => {
            assert!(json.is_err() && any.is_err() && nothing.is_err());
        }
        Err(_) => {}
    }
    if let Ok(json) = json {
        Body::from_json(json).expect("it is one JSON text");
    }
}

/// Decodes arbitrary bytes as a message in V8's format.
///
/// # Panics
/// When anything is wrong with the answer.
pub(crate) fn play(data: &[u8]) {
    if let Some(body) = super::advanced_body(data) {
        look_at(&body);
    }
}
