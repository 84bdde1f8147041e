//! Why something failed, with all causes, each said once.

/// The words of an error and of its causes. Many errors have those of their cause in their own, because a log shows
/// no others.
pub(crate) fn reason(error: &anyhow::Error) -> String {
    let mut all = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if all.is_empty() {
            all = cause;
        } else if !all.ends_with(&cause) {
            all.push_str(": ");
            all.push_str(&cause);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("grid/ca.key: {0}")]
    struct Unreadable(#[source] io::Error);

    #[test]
    fn what_a_cause_says_is_said_once() {
        let denied = || io::Error::other("permission denied");
        let error = anyhow::Error::from(Unreadable(denied()));
        assert_eq!(reason(&error), "grid/ca.key: permission denied");
        let error = anyhow::Error::from(denied()).context("can not read x").context("import");
        assert_eq!(reason(&error), "import: can not read x: permission denied");
    }
}
