//! How is what was answered laid out?

pub(crate) mod acted;
pub(crate) mod describe;
pub(crate) mod inspect;
pub(crate) mod line;
pub(crate) mod list;
pub(crate) mod plan;
pub(crate) mod pm2;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod words;

#[cfg(test)]
pub(crate) mod sample;
