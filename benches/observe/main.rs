//! What observing costs: a call beside one signature of `aws-sigv4`, a frame of a stream beside its
//! CRC-32, and a whole proxy beside one without the layer.
//!
//! ```text
//! cargo bench --bench observe                     criterion, then the table and the goals
//! cargo bench --bench observe -- --goals          the table and the goals alone
//! cargo bench --bench observe -- FILTER           criterion alone
//! ```
//!
//! Figures come from variants that take turns, round after round, so that a machine which is
//! disturbed for a while is so for all of them. What the layer adds is the difference of two
//! variants of a round; a ratio is the median of the rounds' ratios.

use std::env;
use std::time::Duration;

use criterion::Criterion;

use crate::report::{Goal, Report};
use crate::variant::{Contest, Effort};

#[path = "../sigv4/aws.rs"]
#[allow(dead_code)]
mod aws;
mod call;
mod events;
#[path = "../sigv4/machine.rs"]
mod machine;
mod proxy;
mod report;
#[path = "../sigv4/request.rs"]
#[allow(dead_code)]
mod request;
mod stream;
#[path = "../sigv4/variant.rs"]
#[allow(dead_code)]
mod variant;

/// Of each contest but the proxy's.
const BUDGET: Duration = Duration::from_secs(12);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |name| arguments.iter().any(|argument| argument == name);

    call::is_observed();
    stream::nothing_is_copied();
    // Without `--bench`, which `cargo bench` gives, it is a test: everything once.
    let smoke = has("--test") || !has("--bench");
    let only = arguments.iter().all(|argument| argument == "--bench");
    if !has("--goals") {
        criterion();
    }
    if smoke || only || has("--goals") {
        goals(smoke);
    }
}

fn criterion() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for Contest { variants, .. } in [call::contest(), stream::contest()] {
        for mut variant in variants {
            let id = format!("{}/{}", variant.column, variant.row);
            criterion.bench_function(&id, |bencher| {
                bencher.iter_custom(|count| variant.time(count));
            });
        }
    }
    criterion.final_summary();
}

fn goals(smoke: bool) {
    let effort = match smoke {
        true => Effort::Smoke,
        false => Effort::For(BUDGET),
    };
    let mut report = Report::default();
    report.add(call::contest().measure(effort));
    report.add(stream::contest().measure(effort));
    let proxy = proxy::compare(smoke);
    let goals = [
        Goal::at_most(
            "non-streaming call, what the layer adds vs one aws-sigv4 signature",
            report.added(call::BARE, call::OBSERVED, call::AWS),
            0.25,
        ),
        Goal::at_most(
            "non-streaming call, extensions map there already, vs one aws-sigv4 signature",
            report.added(call::BARE_WITH_MAP, call::OBSERVED_WITH_MAP, call::AWS),
            0.25,
        ),
        Goal::at_most(
            "allocations of a non-streaming call",
            call::allocations(false),
            4.0,
        ),
        Goal::at_most(
            "allocations of a non-streaming call, extensions map there already",
            call::allocations(true),
            2.0,
        ),
        Goal::at_most(
            "hopped frame of a stream vs CRC-32 of 200 bytes",
            report.added(stream::BARE, stream::OBSERVED, stream::CRC),
            1.0,
        ),
        Goal::at_least(
            "requests per second of a proxy of 60-frame streams, with the layer vs without",
            proxy.ratio,
            0.97,
        ),
    ];
    if smoke {
        assert!(goals.iter().all(|goal| goal.measured.is_finite()));
        return;
    }
    println!();
    machine::print();
    println!("{}", report.table());
    println!("{proxy}\n");
    for goal in goals {
        println!("{goal}");
    }
}
