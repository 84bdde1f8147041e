//! Numbers as sixteen lower-case hex digits, written into their place: versions and ids are made for every answer, and
//! the formatting machinery would cost ten times as much.

/// The sixteen digits of a number, leading zeros included.
#[must_use]
pub fn digits(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        let [.., low] = (rest & 0xf).to_be_bytes();
        *digit = if low < 10 { b'0' + low } else { b'a' + low - 10 };
        rest >>= 4;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_formatter() {
        for number in [0, 1, 0x9abc_def0, u64::MAX, 0x0123_4567_89ab_cdef] {
            let text = format!("{number:016x}");
            assert_eq!(digits(number), *text.as_bytes());
        }
    }
}
