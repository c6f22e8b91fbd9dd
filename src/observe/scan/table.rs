//! What a scanner looks for.

/// A value to look for.
#[derive(Debug)]
pub(in crate::observe) struct Path<F: 'static> {
    /// What it is called in the answer of the scanner.
    pub(in crate::observe) field: F,
    /// The keys that lead to it; [`EACH`] stands for every element of an array.
    pub(in crate::observe) keys: &'static [&'static str],
    /// The longest value that is kept; 0 if it is enough to know that it is there.
    pub(in crate::observe) limit: usize,
}

/// See [`Path::keys`]. No key of any vendor looks like it.
pub(in crate::observe) const EACH: &str = "[]";

/// No path is longer.
pub(super) const DEPTH: usize = 4;

/// One bit for each path.
pub(super) type Paths = u64;

/// What to look for.
#[derive(Debug)]
pub(in crate::observe) struct Table<F: 'static> {
    pub(super) paths: &'static [Path<F>],
    /// For every level the paths whose key there is in this bucket: nearly no key of an answer is
    /// in one with a key that is looked for.
    pub(super) by_bucket: [[Paths; BUCKETS]; DEPTH],
}

const BUCKETS: usize = 64;

impl<F> Table<F> {
    pub(in crate::observe) const fn new(paths: &'static [Path<F>]) -> Self {
        assert!(paths.len() <= Paths::BITS as usize);
        let mut by_bucket = [[0; BUCKETS]; DEPTH];
        let mut index = 0;
        while index < paths.len() {
            let keys = paths[index].keys;
            assert!(keys.len() <= DEPTH);
            let mut level = 0;
            while level < keys.len() {
                by_bucket[level][bucket(keys[level].as_bytes())] |= 1 << index;
                level += 1;
            }
            index += 1;
        }
        Self { paths, by_bucket }
    }
}

/// By its length and both its ends.
#[inline]
pub(super) const fn bucket(key: &[u8]) -> usize {
    match (key.first(), key.last()) {
        (Some(first), Some(last)) => {
            (key.len() + 5 * (*first as usize) + 11 * (*last as usize)) % BUCKETS
        }
        _ => 0,
    }
}
