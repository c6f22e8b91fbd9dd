//! The CRC-32 of eight bytes, which every frame begins with.
//!
//! `crc32fast` is made for long inputs; of so few bytes it takes them one after the other. Here
//! all eight are looked up at once.

const POLYNOMIAL: u32 = 0xEDB8_8320;

/// `TABLES[n][b]` is what the byte `b` does to the checksum when `n` bytes follow it.
static TABLES: [[u32; 256]; 8] = tables();

pub(super) fn crc32_of_eight(bytes: [u8; 8]) -> u32 {
    let [a, b, c, d, e, f, g, h] = (u64::from_le_bytes(bytes) ^ 0xFFFF_FFFF).to_le_bytes();
    let at = |table: &[u32; 256], byte: u8| table[usize::from(byte)];
    let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
    let first = at(t7, a) ^ at(t6, b) ^ at(t5, c) ^ at(t4, d);
    let last = at(t3, e) ^ at(t2, f) ^ at(t1, g) ^ at(t0, h);
    !(first ^ last)
}

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum >> 1) ^ (POLYNOMIAL * (sum & 1));
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn as_any_other(bytes: [u8; 8]) {
            prop_assert_eq!(crc32_of_eight(bytes), crc32fast::hash(&bytes));
        }
    }
}
