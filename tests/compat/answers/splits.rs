//! However the bytes of a stream are split, its client receives the same.

use bytes::Bytes;

use super::{fixtures, streamed, wire};

/// Pieces of `size` bytes.
pub(super) fn pieces(wire: &Bytes, size: usize) -> impl Iterator<Item = Bytes> {
    let starts = (0..wire.len()).step_by(size);
    starts.map(move |start| wire.slice(start..wire.len().min(start + size)))
}

/// Two pieces.
pub(super) fn halves(wire: &Bytes, at: usize) -> [Bytes; 2] {
    [wire.slice(..at), wire.slice(at..)]
}

#[test]
fn every_fixture_in_small_pieces() {
    for fixture in fixtures::all() {
        let wire = wire(&fixture.events());
        let (whole, result) = streamed([wire.clone()], true);
        result.unwrap();
        for size in [1, 2, 3, 7] {
            let (split, result) = streamed(pieces(&wire, size), true);
            result.unwrap();
            assert_eq!(split, whole, "{} by {size}", fixture.name);
        }
    }
}

#[test]
fn every_fixture_split_in_two_anywhere() {
    for fixture in fixtures::all() {
        let wire = wire(&fixture.events());
        let (whole, result) = streamed([wire.clone()], true);
        result.unwrap();
        for at in 0..=wire.len() {
            let (split, result) = streamed(halves(&wire, at), true);
            result.unwrap();
            assert!(split == whole, "{} at {at}", fixture.name);
        }
    }
}
