//! A hash that is the same in every process, for names that have to be made up.

/// FNV-1a of `text` and `salt`.
pub(super) fn fnv(text: &str, salt: u32) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let bytes = text.bytes().chain(salt.to_be_bytes());
    bytes.fold(BASIS, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    })
}
