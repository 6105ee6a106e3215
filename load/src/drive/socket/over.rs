//! How a socket ends that did not end by us: why, and whether another may be tried. Nothing is judged here.

/// Why one is over.
#[derive(Debug)]
pub(in crate::drive) struct Over {
    pub(in crate::drive) why: String,
    /// Seconds after which another may be tried, if that was said.
    pub(in crate::drive) after: Option<u64>,
    /// Another try will be answered in the same way.
    pub(in crate::drive) for_good: bool,
}

impl Over {
    pub(in crate::drive) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), after: None, for_good: false }
    }

    pub(in crate::drive) fn io(error: &std::io::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// A socket that did not come up.
#[derive(Debug)]
pub struct Refused {
    pub why: String,
    pub for_good: bool,
}
