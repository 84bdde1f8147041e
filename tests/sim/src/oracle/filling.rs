//! A store that says that it is filled from scratch takes no batches meanwhile. The process tells when it does.

/// Its name.
pub const NAME: &str = "a store that is filled takes no batches";
