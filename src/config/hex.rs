//! The 64 hexadecimal digits of a SHA-256, as `sha256sum` prints them.

/// The bytes; `None` when the text is not exactly that.
pub(super) fn bytes(text: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; 32];
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(letter: u8) -> Option<u8> {
    char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits() {
        let text = "00ff10Ab".repeat(8);
        assert_eq!(bytes(&text), Some([0, 0xff, 0x10, 0xab].repeat(8).try_into().unwrap()));
        for wrong in ["", "0", &text[1..], &format!("{text}0"), &text.replace('b', "g")] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
