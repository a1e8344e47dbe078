//! Which object does a reference mean, and how much may come of looking at it again?

use super::value::Value;
use std::cell::Cell;

/// A tree of values whose references can be followed.
#[derive(Debug)]
pub(super) struct Graph<'v> {
    /// In the order of their numbers; empty when there are no references.
    objects: Vec<&'v Value>,
    /// How many values may still be visited. A few references within references make a number
    /// that has no end, and so does the length of an array full of holes.
    budget: Cell<usize>,
    /// How many bytes may still be made of what the message holds only once: a reference of three
    /// bytes may mean a string, or a `Buffer`, of a megabyte.
    repeated: Cell<usize>,
}

/// Visits beyond those of every value once.
const BUDGET: usize = 1 << 22;

/// Bytes that references and gaps may make, for each byte of the message, beyond [`REPEATED`],
/// and at most. What stands in the message itself is not counted.
const REPEATED_PER_BYTE: usize = 8;
const REPEATED: usize = 16 << 20;
const MOST_REPEATED: usize = 512 << 20;

/// More visits, or more bytes, than the budget allows.
#[derive(Debug)]
pub(super) struct TooMany;

impl<'v> Graph<'v> {
    /// Of a message that has `length` bytes on the wire.
    pub(super) fn of(root: &'v Value, length: usize) -> Self {
        let (mut count, mut references) = (0usize, false);
        each(root, &mut |value| {
            count += 1;
            references |= matches!(value, Value::Reference(_));
        });
        let mut objects = Vec::new();
        if references {
            each(root, &mut |value| {
                if value.is_object() {
                    objects.push(value);
                }
            });
        }
        Self {
            objects,
            budget: Cell::new(BUDGET.saturating_add(count)),
            repeated: Cell::new(
                length
                    .saturating_mul(REPEATED_PER_BYTE)
                    .saturating_add(REPEATED)
                    .min(MOST_REPEATED),
            ),
        }
    }

    /// The object with this number.
    pub(super) fn get(&self, id: u32) -> Option<&'v Value> {
        self.objects.get(id as usize).copied()
    }

    /// Another value is visited.
    pub(super) fn visit(&self) -> Result<(), TooMany> {
        let left = self.budget.get().checked_sub(1).ok_or(TooMany)?;
        self.budget.set(left);
        Ok(())
    }
}

impl Graph<'_> {
    /// A reference or a gap makes so many bytes.
    pub(super) fn repeat(&self, bytes: usize) -> Result<(), TooMany> {
        let left = self.repeated.get().checked_sub(bytes).ok_or(TooMany)?;
        self.repeated.set(left);
        Ok(())
    }
}

/// Visits every value in the order in which they begin on the wire.
fn each<'v>(value: &'v Value, visit: &mut impl FnMut(&'v Value)) {
    visit(value);
    match value {
        Value::Object(properties) | Value::SparseArray { properties, .. } => {
            for (_, value) in properties {
                each(value, visit);
            }
        }
        Value::Array(values) | Value::Set(values) => {
            for value in values {
                each(value, visit);
            }
        }
        Value::ArrayWithProperties(array) => {
            for value in &array.elements {
                each(value, visit);
            }
            for (_, value) in &array.properties {
                each(value, visit);
            }
        }
        Value::Map(entries) => {
            for (key, value) in entries {
                each(key, visit);
                each(value, visit);
            }
        }
        Value::Error(error) => {
            if let Some(cause) = &error.cause {
                each(cause, visit);
            }
        }
        Value::HostObject(inside) => each(inside, visit),
        _ => {}
    }
}

impl Value {
    /// Whether it is an object in JavaScript, so that a reference can mean it.
    pub(super) fn is_object(&self) -> bool {
        !matches!(
            self,
            Self::Undefined
                | Self::Null
                | Self::Bool(_)
                | Self::Int(_)
                | Self::Number(_)
                | Self::BigInt(_)
                | Self::String(_)
                | Self::Hole
                | Self::Reference(_)
        )
    }

    /// Whether it holds other values.
    pub(super) fn nests(&self) -> bool {
        matches!(
            self,
            Self::Object(_)
                | Self::SparseArray { .. }
                | Self::Array(_)
                | Self::ArrayWithProperties(_)
                | Self::Map(_)
                | Self::Set(_)
                | Self::Error(_)
                | Self::HostObject(_)
        )
    }

    /// The elements of an array with gaps, in order.
    pub(super) fn sparse_elements(properties: &[(super::Key, Value)]) -> Vec<(u32, &Value)> {
        let mut elements: Vec<(u32, &Value)> = properties
            .iter()
            .filter_map(|(key, value)| match key {
                super::Key::Index(index) => Some((*index, value)),
                super::Key::Text(_) => None,
            })
            .collect();
        elements.sort_by_key(|(index, _)| *index);
        elements
    }
}
