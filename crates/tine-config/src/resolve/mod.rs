//! Which program does a word mean, and how is it run?

mod app;
mod interpreter;
mod name;
mod near;
mod script;
mod word;

pub use app::{Resolved, start};
pub use word::{Kind, kind_of};

pub(crate) use app::{Asked, app, fill};
pub(crate) use interpreter::{Runtime, strips_types};
pub(crate) use name::name_of;
pub(crate) use near::nearest;
