//! The load tester; see README.md. It comes later.
fn main() {}
