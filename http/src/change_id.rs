//! Where a feed of changes goes on: `<run>-<number>`, both in hexadecimal.
//!
//! An id is of one store of one node in one run of it. Another's is no error of form; it just leads nowhere any
//! more.

use gridkv_actors::changes::ChangePlace;
use gridkv_protocol::Origin;

/// Writes a place.
pub(crate) fn encode(place: ChangePlace) -> String {
    format!("{:016x}-{:x}", place.run.bits(), place.number)
}

/// Reads a place; `None` when the text is none.
pub(crate) fn decode(text: &str) -> Option<ChangePlace> {
    let (run, number) = text.split_once('-')?;
    let hex = |text: &str, most| {
        let digits = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        (digits && (1..=most).contains(&text.len())).then(|| u64::from_str_radix(text, 16).ok())?
    };
    let run = hex(run, 16).filter(|_| run.len() == 16)?;
    Some(ChangePlace { run: Origin::from_bits(run), number: hex(number, 16)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_place() {
        for number in [0, 1, 255, u64::MAX] {
            let place = ChangePlace { run: Origin::from_bits(0x0000_0002_0000_00ff), number };
            assert_eq!(decode(&encode(place)), Some(place));
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "0",
            "now",
            "-",
            "00000002000000ff",
            "00000002000000ff-",
            "00000002000000ff-+1",
            "00000002000000FF-1",
            "2ff-1",
            "00000002000000ff-10000000000000000",
            "00000002000000ff-1-1",
            " 00000002000000ff-1",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
