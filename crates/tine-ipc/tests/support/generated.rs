//! Values of any shape, as V8 would write them.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use tine_ipc::v8::{
    ArrayWithProperties, BigInt, ErrorValue, Key, RegExpValue, TypedArrayKind, Value,
};

/// The same values at every run.
pub(crate) fn samples<S: Strategy>(strategy: S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..count)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "[\u{0}-\u{ff}]{0,8}",
        "\\PC{0,8}",
        "[a\u{e9}\u{6f22}\u{1f600}\u{2028}\n\\\\\"]{0,5}",
    ]
}

pub(crate) fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<i32>().prop_map(f64::from),
        (-300..300i32, -9.99..9.99f64).prop_map(|(exponent, digits)| digits * 10f64.powi(exponent)),
        any::<u64>()
            .prop_map(f64::from_bits)
            .prop_filter("NaN has one form", |n| !n.is_nan()),
        (-60..60i32).prop_map(|exponent| 2f64.powi(exponent)),
        (0..22u32).prop_map(|exponent| 10f64.powi(exponent as i32)),
        Just(-0.0),
        Just(f64::NAN),
        Just(f64::MAX),
        Just(f64::MIN_POSITIVE / 3.0),
    ]
}

fn bigint() -> impl Strategy<Value = BigInt> {
    (any::<bool>(), vec(any::<u64>(), 0..4))
        .prop_map(|(negative, words)| BigInt::from_words(negative, words))
}

fn leaf() -> impl Strategy<Value = Value> {
    use TypedArrayKind as Kind;
    let bytes = || vec(any::<u8>(), 0..20);
    let kinds = [
        Kind::Int8Array,
        Kind::Uint8Array,
        Kind::Uint8ClampedArray,
        Kind::Int16Array,
        Kind::Uint16Array,
        Kind::Int32Array,
        Kind::Uint32Array,
        Kind::DataView,
        Kind::BigInt64Array,
        Kind::BigUint64Array,
    ];
    prop_oneof![
        Just(Value::Undefined),
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number().prop_map(Value::number),
        bigint().prop_map(Value::BigInt),
        text().prop_map(Value::String),
        (-8_640_000_000_000_000..8_640_000_000_000_000i64).prop_map(|t| Value::Date(t as f64)),
        Just(Value::Date(f64::NAN)),
        ("[a-z\u{6f22}]{1,4}", "d?g?i?m?s?y?")
            .prop_map(|(source, flags)| { Value::RegExp(Box::new(RegExpValue { source, flags })) }),
        bytes().prop_map(Value::Buffer),
        bytes().prop_map(Value::ArrayBuffer),
        (prop::sample::select(kinds.to_vec()), bytes()).prop_map(|(kind, mut bytes)| {
            bytes.truncate(bytes.len() / kind.element_size() * kind.element_size());
            Value::TypedArray { kind, bytes }
        }),
        any::<bool>().prop_map(Value::BoolObject),
        number().prop_map(Value::NumberObject),
        bigint().prop_map(Value::BigIntObject),
        text().prop_map(Value::StringObject),
    ]
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        (0..100_000u32).prop_map(Key::Index),
        text()
            .prop_filter("has a meaning of its own", |text| text != "__proto__")
            .prop_map(Key::from),
    ]
}

fn error() -> impl Strategy<Value = ErrorValue> {
    let name = prop::sample::select(&["Error", "TypeError", "URIError", "SyntaxError"][..]);
    (name, proptest::option::of(text()), text()).prop_map(|(name, message, stack)| ErrorValue {
        name: name.to_owned(),
        message,
        stack: Some(stack),
        cause: None,
    })
}

/// Any value that V8 can hold, with references among them.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    let tree = leaf().prop_recursive(5, 40, 6, |inner| {
        // Indices come first and in order, as `Key` sorts them.
        let object = btree_map(key(), inner.clone(), 0..5)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
            .boxed();
        prop_oneof![
            object.clone(),
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            (
                vec(inner.clone(), 1..3),
                btree_map("[a-z]{1,3}", inner.clone(), 1..3)
            )
                .prop_map(|(elements, properties)| {
                    let properties = properties.into_iter().map(|(k, v)| (Key::Text(k), v));
                    Value::ArrayWithProperties(Box::new(ArrayWithProperties {
                        elements,
                        properties: properties.collect(),
                    }))
                }),
            (btree_map(0..50u32, inner.clone(), 0..4), 50..60u32).prop_map(|(map, length)| {
                let properties = map.into_iter().map(|(k, v)| (Key::Index(k), v)).collect();
                Value::SparseArray { length, properties }
            }),
            btree_map(text(), inner.clone(), 0..4).prop_map(|map| {
                Value::Map(
                    map.into_iter()
                        .map(|(k, v)| (Value::String(k), v))
                        .collect(),
                )
            }),
            vec((object, inner.clone()), 0..2).prop_map(Value::Map),
            btree_set(any::<i32>(), 0..4)
                .prop_map(|set| Value::Set(set.into_iter().map(Value::Int).collect())),
            error().prop_map(|error| Value::Error(Box::new(error))),
            (error(), inner).prop_map(|(mut error, cause)| {
                error.cause = Some(cause);
                Value::Error(Box::new(error))
            }),
        ]
    });
    (tree, any::<u32>()).prop_map(|(mut tree, seed)| {
        refer(&mut tree, &mut 0, &mut (u64::from(seed) | 1), true);
        tree
    })
}

/// Puts references where there is `undefined`: to objects that have begun before.
fn refer(value: &mut Value, objects: &mut u32, seed: &mut u64, allowed: bool) {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    match value {
        Value::Undefined if allowed && *objects > 0 => {
            let id = (*seed >> 33) as u32 % *objects;
            *value = Value::Reference(id);
            return;
        }
        Value::Undefined
        | Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Number(_)
        | Value::BigInt(_)
        | Value::String(_)
        | Value::Hole
        | Value::Reference(_) => return,
        _ => *objects += 1,
    }
    match value {
        Value::Object(properties) | Value::SparseArray { properties, .. } => {
            for (_, value) in properties {
                refer(value, objects, seed, allowed);
            }
        }
        Value::Array(elements) => {
            for value in elements {
                refer(value, objects, seed, allowed);
            }
        }
        Value::ArrayWithProperties(array) => {
            for value in &mut array.elements {
                refer(value, objects, seed, allowed);
            }
            for (_, value) in &mut array.properties {
                refer(value, objects, seed, allowed);
            }
        }
        Value::Map(entries) => {
            for (key, value) in entries {
                refer(key, objects, seed, allowed);
                refer(value, objects, seed, allowed);
            }
        }
        Value::Set(members) => {
            for value in members {
                refer(value, objects, seed, allowed);
            }
        }
        // V8 does not know an error before it has read its cause.
        Value::Error(error) => {
            if let Some(cause) = &mut error.cause {
                refer(cause, objects, seed, false);
            }
        }
        _ => {}
    }
}

/// The same with all arrays as V8 holds those that it has received: with gaps.
pub(crate) fn received(value: Value) -> Value {
    let all = |properties: Vec<(Key, Value)>| -> Vec<(Key, Value)> {
        let each = properties.into_iter();
        each.map(|(key, value)| (key, received(value))).collect()
    };
    let sparse = |elements: Vec<Value>, properties: Vec<(Key, Value)>| {
        let length = elements.len() as u32;
        let elements = (0..).map(Key::Index).zip(elements);
        let properties = all(elements.chain(properties).collect());
        Value::SparseArray { length, properties }
    };
    match value {
        Value::Array(elements) => sparse(elements, Vec::new()),
        Value::ArrayWithProperties(array) => sparse(array.elements, array.properties),
        Value::Object(properties) => Value::Object(all(properties)),
        Value::SparseArray { length, properties } => Value::SparseArray {
            length,
            properties: all(properties),
        },
        Value::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| (received(key), received(value)))
                .collect(),
        ),
        Value::Error(mut error) => {
            error.cause = error.cause.map(received);
            Value::Error(error)
        }
        other => other,
    }
}
