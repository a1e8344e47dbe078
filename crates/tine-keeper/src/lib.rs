//! What must outlive the brain.
#![forbid(unsafe_code)]
