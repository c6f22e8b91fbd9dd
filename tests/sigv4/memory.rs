//! What is cached does not grow.

use std::ops::Range;
use std::thread;
use std::time::Duration;

use allocation_counter::measure;
use http::HeaderValue;
use tower_bedrock::sign::Signer;

use crate::caches::signed_alike;
use crate::generate::Case;
use crate::generate::keys::Keys;
use crate::reference::ours;

const MEBIBYTE: i64 = 1 << 20;

/// Request number `number`, of which nothing ever comes again: key, route, region and a header
/// of its own.
fn unique(number: u64) -> Case {
    let mut case = Case::post(&format!("https://localhost/model/m{number}/converse"));
    let secret = format!("{number:040}");
    let token = (number.is_multiple_of(50)).then(|| format!("{number:08192}"));
    case.keys = Keys::new(&format!("AKID{number}"), &secret, token.as_deref());
    case.region = format!("region-{number}");
    case.headers
        .insert("host", HeaderValue::from_static("localhost"));
    case.headers
        .insert("x-amz-cf-id", number.to_string().parse().unwrap());
    case.time += Duration::from_secs(number / 1000);
    case
}

/// Signs requests that nobody saw before; each fourth three times, so that it may be kept. Some
/// are compared with `aws-sigv4`.
fn sign_unique(signer: &Signer, numbers: Range<u64>) {
    for number in numbers {
        let case = unique(number);
        for _ in 0..if number.is_multiple_of(4) { 3 } else { 1 } {
            if number.is_multiple_of(997) {
                signed_alike(signer, &case);
            } else {
                ours(signer, &case).unwrap();
            }
        }
    }
}

#[test]
fn a_hundred_thousand_of_everything_take_no_memory() {
    let signer = Signer::new();
    let first = measure(|| sign_unique(&signer, 0..50_000)).bytes_current;
    let second = measure(|| sign_unique(&signer, 50_000..100_000)).bytes_current;
    println!(
        "after 50,000: {first} bytes live, after 100,000: {}",
        first + second
    );
    assert!(first < 32 * MEBIBYTE, "{first}");
    assert!(second < MEBIBYTE, "{second}");
}

/// What one thread leaves behind another does not add to without end.
#[test]
fn nor_do_they_from_many_threads() {
    let signer = Signer::new();
    let live: i64 = (0..12)
        .map(|thread| {
            let signer = &signer;
            thread::scope(|scope| {
                let numbers = thread * 2_000..(thread + 1) * 2_000;
                let work = move || measure(|| sign_unique(signer, numbers)).bytes_current;
                scope.spawn(work).join().unwrap()
            })
        })
        .sum();
    println!("after 12 threads: {live} bytes live");
    assert!(live < 32 * MEBIBYTE, "{live}");
}
