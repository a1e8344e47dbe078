//! The cases.

pub(crate) mod act;
pub(crate) mod ask;
pub(crate) mod environment;
pub(crate) mod fields;
pub(crate) mod files;
pub(crate) mod interpreters;
pub(crate) mod logs;
pub(crate) mod names;
pub(crate) mod restart;
pub(crate) mod save;
pub(crate) mod scale;
pub(crate) mod start;
pub(crate) mod stop;

use crate::case::Case;

/// Those of all files.
pub(crate) const ALL: &[&[Case]] = &[
    act::ALL,
    ask::ALL,
    environment::ALL,
    fields::ALL,
    files::ALL,
    interpreters::ALL,
    logs::ALL,
    names::ALL,
    restart::ALL,
    save::ALL,
    scale::ALL,
    start::ALL,
    stop::ALL,
];
