//! The embedded body.
