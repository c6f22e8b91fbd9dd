//! Decimal numbers as whole multiples of a small unit.

/// Digits after the point that are kept of an amount in US dollars.
pub(super) const ATTO: i32 = 18;

/// `text`, a JSON number, in units of `10^-digits`, cut to whole ones; `None` if it is negative,
/// too great, or no number.
pub(super) fn parse(text: &str, digits: i32) -> Option<u64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, clamped(exponent)?),
        None => (text, 0),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(part) {
        return None;
    }
    // Where the point stands among the digits, once the unit is one.
    let places = i32::try_from(whole.len()).ok()?;
    let end = places.saturating_add(exponent).saturating_add(digits);
    let (mut value, mut at) = (0u64, 0i32);
    for digit in whole.bytes().chain(part.bytes()).map(|byte| byte - b'0') {
        if at >= end {
            break;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
        at += 1;
    }
    if value == 0 {
        return Some(0);
    }
    let missing = u32::try_from(end.saturating_sub(at)).ok()?;
    value.checked_mul(10u64.checked_pow(missing)?)
}

/// An exponent; beyond a million it makes no difference any more.
fn clamped(text: &str) -> Option<i32> {
    const FAR: i32 = 1_000_000;
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse().unwrap_or(FAR).min(FAR);
    Some(if text.starts_with('-') { -value } else { value })
}

/// In units of `10^-digits` with no more digits than are needed.
pub(super) fn show(value: u64, digits: u32) -> String {
    let unit = 10u64.saturating_pow(digits);
    let (whole, part) = (value / unit, value % unit);
    let width = digits as usize;
    let part = format!("{part:0width$}");
    let part = part.trim_end_matches('0');
    match part {
        "" => whole.to_string(),
        part => format!("{whole}.{part}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals() {
        for (text, value) in [
            ("0", Some(0)),
            ("3", Some(3_000)),
            ("0.0015", Some(1)),
            ("0.0005", Some(0)),
            ("1.25e-2", Some(12)),
            ("1E3", Some(1_000_000)),
            ("1e+3", Some(1_000_000)),
            ("12.5", Some(12_500)),
            ("0e99999999999", Some(0)),
            ("0.000", Some(0)),
            ("1e-99999999999", Some(0)),
            ("18446744073709551.615", Some(u64::MAX)),
            ("18446744073709551.616", None),
            ("1e999999999999", None),
            ("1e17", None),
            ("-1", None),
            ("-0", None),
            ("+1", None),
            ("NaN", None),
            ("1e", None),
            ("1e1.5", None),
            (".5", None),
            ("", None),
            ("\"1\"", None),
            ("1_000", None),
        ] {
            assert_eq!(parse(text, 3), value, "{text}");
        }
        let long = format!("0.{}1", "0".repeat(5000));
        assert_eq!(parse(&long, 3), Some(0));
        assert_eq!(parse(&"9".repeat(5000), 3), None);
    }

    #[test]
    fn shown_as_they_are_read() {
        for text in ["0", "3", "0.0035", "12.5", "18.446744073709551615"] {
            assert_eq!(show(parse(text, ATTO).unwrap(), 18), text);
        }
    }
}
