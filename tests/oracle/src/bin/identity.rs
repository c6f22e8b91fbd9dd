//! Random requests signed by our signer and by `aws-sigv4`, on every core at once with one signer.
//!
//! `identity [COUNT [SEED]]`: COUNT is 1,000,000 unless said. Ends with 1 if any differ; the same
//! seed gives the same requests.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use tower_bedrock_oracle::argument;
use tower_bedrock_oracle::generate::dice::Dice;
use tower_bedrock_oracle::generate::{Kind, Walk};
use tower_bedrock_oracle::reference::{Verdict, compare, signers};

fn main() -> ExitCode {
    let count = argument(1).unwrap_or(1_000_000);
    let seed = argument(2).unwrap_or(1);
    let threads = thread::available_parallelism().map_or(1, |number| number.get() as u64);
    let begun = Instant::now();
    let signers = signers();
    let [again, refused, differences] = [const { AtomicU64::new(0) }; 3];
    thread::scope(|scope| {
        for thread in 0..threads {
            let (signers, again, refused, differences) = (&signers, &again, &refused, &differences);
            scope.spawn(move || {
                let seed = seed.wrapping_add(thread << 40);
                let mut walk = Walk::new(Dice::seeded(seed));
                let share = count / threads + u64::from(thread < count % threads);
                for _ in 0..share {
                    let case = walk.next_case();
                    if case.kind == Kind::Again {
                        again.fetch_add(1, Ordering::Relaxed);
                    }
                    match compare(&signers[case.rule], &case) {
                        Ok(Verdict::Signed) => {}
                        Ok(Verdict::Refused) => _ = refused.fetch_add(1, Ordering::Relaxed),
                        Err(difference) => {
                            // The first few tell it all.
                            if differences.fetch_add(1, Ordering::Relaxed) < 3 {
                                println!("seed {seed}: {difference}\n");
                            }
                        }
                    }
                }
            });
        }
    });
    let [again, refused, differences] = [again, refused, differences].map(AtomicU64::into_inner);
    println!(
        "identity with aws-sigv4: {count} requests, {again} of them repeated, {refused} refused by both, {differences} differences; {threads} threads, seed {seed}, {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    ExitCode::from(u8::from(differences > 0))
}
