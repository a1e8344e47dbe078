//! Which apps does a process file ask for?

mod decode;
mod draft;
mod fields;
mod find;
mod javascript;
mod json5;
mod load;
mod node;
mod read;
mod sections;
mod shape;
mod toml;
mod variables;
mod yaml;

pub use find::{DEFAULT_FILES, find_default};
pub use load::{LoadOptions, Loaded, load, load_names};
pub use read::Source;

pub(crate) use fields::{FIELDS, Field, STATIC_FIELDS};
pub(crate) use find::is_process_file;
