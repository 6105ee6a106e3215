//! The fault lab. It comes next.
