//! JSON of an answer, bounded by what it becomes in memory.
//!
//! Why it exists: `[{},{},...]` takes a hundred times as much memory as bytes on the way. So parts are counted
//! before anything is made of them, and more than any node says is refused.

use serde_json::Value as Json;

/// Elements and fields of an answer, at most: a page has a thousand entries of a dozen fields.
const MAX_PARTS: usize = 500_000;

/// A document.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(bytes: &[u8]) -> Result<Json, String> {
    if parts(bytes) > MAX_PARTS {
        return Err(format!("more than {MAX_PARTS} fields and elements in one document"));
    }
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// What begins a list, an object, or one more element of either.
fn parts(bytes: &[u8]) -> usize {
    let (mut count, mut in_text, mut is_escaped) = (0, false, false);
    for byte in bytes {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' | b',' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_outside_of_texts() {
        assert_eq!(parts(br#"{"a":[1,2,{"b":"[{,\\\",,"}]}"#), 5);
        assert_eq!(parts(br#"{"value":"[[[[,,,,"}"#), 1);
    }

    #[test]
    fn what_would_fill_the_memory_is_refused() {
        let bomb = |unit: &str| format!("[{}0]", unit.repeat(MAX_PARTS)).into_bytes();
        for unit in ["{},", "[],", "0,"] {
            assert!(read(&bomb(unit)).unwrap_err().contains("more than"), "{unit}");
        }
        let page = format!("[{}0]", "{\"k\":1},".repeat(10_000));
        assert!(read(page.as_bytes()).is_ok());
    }
}
