//! A walk of signing cases that the fuzzer's bytes decide, signed by our signer and by
//! `aws-sigv4`.

#![no_main]

#[path = "../../tests/sigv4/generate/mod.rs"]
mod generate;
#[path = "../../tests/sigv4/reference.rs"]
mod reference;

use libfuzzer_sys::fuzz_target;

use generate::Walk;
use generate::dice::Dice;
use reference::{compare, signers};

fuzz_target!(|bytes: &[u8]| {
    let signers = signers();
    let mut walk = Walk::new(Dice::of_bytes(bytes));
    while !walk.is_over() {
        let case = walk.next_case();
        if let Err(difference) = compare(&signers[case.rule], &case) {
            panic!("{difference}");
        }
    }
});
