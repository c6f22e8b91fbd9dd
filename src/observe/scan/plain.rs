//! Text in which nothing ends.

/// How many bytes there are before a quotation mark or a backslash: most of an answer is text.
pub(super) fn plain(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    // Whether one of the eight bytes is zero.
    let has_zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes & HIGH != 0;
    let eights = text.as_chunks::<8>().0.iter();
    let plain = eights.take_while(|eight| {
        let eight = u64::from_ne_bytes(**eight);
        let quote = eight ^ (ONES * u64::from(b'"'));
        let backslash = eight ^ (ONES * u64::from(b'\\'));
        !has_zero(quote) && !has_zero(backslash)
    });
    let start = plain.count() * 8;
    let rest = text.get(start..).unwrap_or_default();
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\');
    start + rest.iter().position(is_special).unwrap_or(rest.len())
}
