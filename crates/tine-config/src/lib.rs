//! What did the user ask for? Process files and command lines become apps.
//!
//! Everything ends in a canonical [`AppSpec`](tine_control::AppSpec): paths absolute, the mode, the
//! interpreter and the environment decided. Nothing here talks to the daemon or starts an app; what
//! is started is the runtime that evaluates a process file in JavaScript.
//!
//! | file | the question it answers |
//! |---|---|
//! | [`problem`] | what is wrong, and where? |
//! | [`around`] | what does the caller's shell look like? |
//! | [`options`] | what was asked for, in plain data? |
//! | [`resolve`] | which program does a word mean, and how is it run? |
//! | [`mod@file`] | which apps does a process file ask for? |
//! | [`mod@changes`] | which fields of apps that are there are to change? |
//! | [`mod@check`] | is a process file in order? |
//! | [`mod@difference`] | what would have to happen for the world to match a file? |
//! | [`mod@schema`] | what does an editor need to know of a process file? |
//! | [`template`] | what does a first process file look like? |
#![forbid(unsafe_code)]

pub mod around;
pub mod changes;
pub mod check;
mod child;
pub mod difference;
pub mod file;
pub mod options;
pub mod problem;
pub mod resolve;
pub mod schema;
pub mod template;

pub use around::Around;
pub use changes::changes;
pub use check::{Report, check};
pub use difference::{Difference, Present, difference};
pub use file::{LoadOptions, Loaded, Source, load, load_names};
pub use options::{LogFile, Options, Words};
pub use problem::{Problem, Problems, Severity};
pub use resolve::{Kind, Resolved, kind_of, start};
pub use schema::schema;
pub use template::Template;
