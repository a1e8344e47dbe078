//! The same input to PM2 and to tine: what both do is compared.
//!
//! Each case of `cases/` is a table of files, command lines and things to look at. It is run once
//! with PM2 and once with tine, each with a home and a folder of its own. What was seen is written
//! down as facts, and all facts must be the same, but for the differences that the case names:
//! these are described in `differences.rs`, and the same list stands in docs/pm2.md.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test may"
)]

/// Defines the cases of a file, with a test for each that is named after it.
macro_rules! cases {
    ($($name:ident { $($field:ident: [$($value:expr),* $(,)?]),* $(,)? })*) => {
        /// The cases of this file.
        #[allow(clippy::needless_update, reason = "some cases have all fields")]
        pub(crate) const ALL: &[$crate::case::Case] = &[$($crate::case::Case {
            name: stringify!($name),
            $($field: &[$($value),*],)*
            ..$crate::case::EMPTY
        }),*];

        $(
            #[test]
            fn $name() {
                $crate::both::compare(ALL, stringify!($name));
            }
        )*
    };
}

mod case;
mod differences;
mod programs;

mod both;
mod facts;
mod list;
mod manager;
mod rpc;
mod walk;

mod cases;
mod document;
mod words;
