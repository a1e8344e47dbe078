//! tine
fn main() {}
