//! From when to when a certificate is valid: the one thing in it that people ask for and that TLS does not tell.
//!
//! It walks to the two times and reads nothing else. What a certificate is worth is judged by TLS.

use gridkv_protocol::UnixMs;

/// A certificate's life, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    /// Its beginning.
    pub(crate) from: UnixMs,
    /// Its end.
    pub(crate) to: UnixMs,
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

impl Validity {
    /// That of a certificate in DER; `None` when it has no such form.
    pub(crate) fn of(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = element(certificate, SEQUENCE)?;
        let (mut rest, _) = element(certificate, SEQUENCE)?;
        if rest.first() == Some(&VERSION) {
            rest = any(rest)?.2;
        }
        // Serial number, algorithm, issuer.
        for _ in 0..3 {
            rest = any(rest)?.2;
        }
        let (times, _) = element(rest, SEQUENCE)?;
        let (from_kind, from, times) = any(times)?;
        let (to_kind, to, _) = any(times)?;
        Some(Self { from: moment(from_kind, from)?, to: moment(to_kind, to)? })
    }
}

/// The content of an element of this kind, and what follows it.
fn element(bytes: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = any(bytes)?;
    (found == kind).then_some((content, rest))
}

/// Kind and content of the first element, and what follows it.
fn any(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (kind, bytes) = bytes.split_first()?;
    let (first, bytes) = bytes.split_first()?;
    let (length, bytes) = if *first < 0x80 {
        (usize::from(*first), bytes)
    } else {
        let (digits, bytes) = bytes.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 3 {
            return None; // 16 MiB are no certificate
        }
        let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        (length, bytes)
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    Some((*kind, content, rest))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
fn moment(kind: u8, text: &[u8]) -> Option<UnixMs> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match kind {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: u64 = year.parse().ok()?;
            (if year < 50 { 2_000 + year } else { 1_900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let pairs: Vec<&str> = (0..5).map_while(|at| rest.get(2 * at..2 * at + 2)).collect();
    let &[month, day, hour, minute, second] = pairs.as_slice() else { return None };
    if rest.len() != 10 {
        return None;
    }
    if year < 1_970 {
        return Some(UnixMs(0));
    }
    gridkv_http::rfc3339::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}.000Z"))
}

#[cfg(test)]
mod tests {
    use gridkv_http::rfc3339;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn the_life_of_a_certificate_is_read_from_it() {
        let key = KeyPair::generate().unwrap();
        // Times up to 2049 have two digits for the year, and others four.
        for ((from_year, from), (to_year, to)) in [
            ((2026, "2026-02-28T00:00:00.000Z"), (2027, "2027-02-28T00:00:00.000Z")),
            ((1999, "1999-02-28T00:00:00.000Z"), (2050, "2050-02-28T00:00:00.000Z")),
            ((1975, "1975-02-28T00:00:00.000Z"), (4096, "4096-02-28T00:00:00.000Z")),
        ] {
            let mut params = CertificateParams::new(vec!["n1.node.gridkv".to_owned()]).unwrap();
            params.not_before = date_time_ymd(from_year, 2, 28);
            params.not_after = date_time_ymd(to_year, 2, 28);
            let certificate = params.self_signed(&key).unwrap();
            let validity = Validity::of(certificate.der()).unwrap();
            assert_eq!(
                (rfc3339::format(validity.from), rfc3339::format(validity.to)),
                (from.into(), to.into())
            );
            // Nothing that is cut off or damaged makes it panic.
            for length in 0..certificate.der().len() {
                let mut damaged = certificate.der().to_vec();
                damaged[length] ^= 0xff;
                std::hint::black_box(Validity::of(&damaged));
                assert_eq!(Validity::of(&certificate.der()[..length]), None);
            }
        }
        assert_eq!(Validity::of(b""), None);
        assert_eq!(moment(UTC_TIME, b"261301000000Z"), None);
        assert_eq!(moment(UTC_TIME, b"2601010000Z"), None);
        assert_eq!(moment(GENERALIZED_TIME, b"20260101000000+0100"), None);
        assert_eq!(moment(GENERALIZED_TIME, b"19690101000000Z"), Some(UnixMs(0)));
    }
}
