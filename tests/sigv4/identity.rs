//! Our signer and `aws-sigv4`, side by side.

use std::collections::HashMap;
use std::thread;

use http::HeaderValue;
use tower_bedrock::sign::Signer;

use crate::generate::dice::Dice;
use crate::generate::{Case, Kind, Walk};
use crate::reference::{Verdict, compare, signers};

/// `SIGV4_SEED` starts the walks elsewhere.
fn seed() -> u64 {
    std::env::var("SIGV4_SEED").map_or(1, |seed| seed.parse().expect("SIGV4_SEED is a number"))
}

/// Signs the first cases of a walk; says how many there were of each kind.
fn walk(signers: &[Signer], seed: u64, steps: u64) -> HashMap<(Kind, Verdict), u64> {
    let mut walk = Walk::new(Dice::seeded(seed));
    let mut seen = HashMap::new();
    for _ in 0..steps {
        let case = walk.next_case();
        match compare(&signers[case.rule], &case) {
            Ok(verdict) => *seen.entry((case.kind, verdict)).or_default() += 1,
            Err(difference) => panic!("seed {seed}: {difference}"),
        }
    }
    seen
}

#[test]
fn twenty_thousand_cases_are_signed_alike() {
    let seen = walk(&signers(), seed(), 20_000);
    println!("{seen:?}");
    let count = |kind, verdict| seen.get(&(kind, verdict)).copied().unwrap_or_default();
    // What the walk promises: mostly repetitions, and some that cannot be signed.
    assert!(count(Kind::Again, Verdict::Signed) > 12_000);
    assert!(count(Kind::Near, Verdict::Signed) > 3_000);
    assert!(count(Kind::New, Verdict::Signed) > 2_000);
    assert!(count(Kind::New, Verdict::Refused) > 5);
    assert!(count(Kind::Again, Verdict::Refused) > 20);
}

/// Each thread has clock, keys and routes of its own; all share what is cached.
#[test]
fn four_threads_share_one_signer() {
    let signers = signers();
    thread::scope(|scope| {
        for thread in 0..4 {
            let signers = &signers;
            scope.spawn(move || walk(signers, seed() ^ (thread << 32), 1_500));
        }
    });
}

/// The same requests in every thread, each at another time of the same walk: what one thread
/// leaves in a cache is found by the others.
#[test]
fn four_threads_sign_the_same_requests() {
    let signers = signers();
    thread::scope(|scope| {
        for _ in 0..4 {
            let signers = &signers;
            scope.spawn(move || walk(signers, seed() ^ 0xabcd, 1_000));
        }
    });
}

/// The canonical request is hashed in blocks of 64 bytes, and so is the string to sign: every
/// length of what precedes the body's hash, and of the scope, three times each.
#[test]
fn every_length_of_what_goes_before() {
    let signers = signers();
    let mut walk = Walk::new(Dice::seeded(seed()));
    let template = loop {
        let case = walk.next_case();
        let plain = case.keys.token.is_none() && case.rule == 0 && case.uri.query().is_none();
        if plain && case.headers.contains_key("host") && case.headers.len() < 9 {
            break case;
        }
    };
    let long = "abcdefghijklmnopqrstuvwxyz".repeat(6);
    for length in 0..=140 {
        let part = &long[..length];
        let mut cases: Vec<Case> = vec![template.clone(); 4];
        cases[0]
            .headers
            .insert("x-amz-pad", HeaderValue::from_str(part).unwrap());
        cases[1].region = long[..=length].to_owned();
        cases[2].uri = format!("https://localhost/{part}").parse().unwrap();
        cases[3]
            .headers
            .insert("x-amz-pad", HeaderValue::from_str(part).unwrap());
        cases[3].keys = template.keys.with_token(Some(&long[..=length]));
        for case in cases {
            for _ in 0..3 {
                if let Err(difference) = compare(&signers[0], &case) {
                    panic!("length {length}: {difference}");
                }
            }
        }
    }
}
