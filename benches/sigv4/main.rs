//! What signing costs: the signer and the layer against `aws-sigv4`, and against the SHA-256
//! blocks that nobody can avoid.
//!
//! ```text
//! cargo bench --bench sigv4                       criterion, then the table and the goals
//! cargo bench --bench sigv4 -- --goals            the table and the goals alone
//! cargo bench --bench sigv4 -- FILTER             criterion alone
//! ```
//!
//! A request is a `POST` to a model with `host`, `content-type` and `accept`, as a server gets it;
//! preparing and dropping it is not timed. Table and goals come from variants that take turns,
//! round after round, so that a machine which is disturbed or throttled for a while does it to all
//! of them. A time is the median of the rounds. A ratio is the median of the rounds' ratios: from
//! run to run it moves less than the ratio of the medians does.

use std::env;
use std::time::Duration;

use criterion::Criterion;

use crate::report::Report;
use crate::variant::{Contest, Effort};

mod aws;
mod check;
mod contests;
mod event_stream;
mod floor;
mod layer;
mod machine;
mod report;
mod request;
mod signer;
mod threads;
mod variant;

/// Of each contest for the goals; there are eight.
const BUDGET: Duration = Duration::from_secs(11);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |name| arguments.iter().any(|argument| argument == name);

    check::signatures_agree();
    // Without `--bench`, which `cargo bench` gives, it is a test: everything once.
    let smoke = has("--test") || !has("--bench");
    let only = arguments.iter().all(|argument| argument == "--bench");
    if !has("--goals") {
        criterion();
    }
    if smoke || only || has("--goals") {
        let effort = if smoke {
            Effort::Smoke
        } else {
            Effort::For(BUDGET)
        };
        goals(effort);
    }
}

fn criterion() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for Contest { variants, .. } in contests::all() {
        for mut variant in variants {
            let row = variant.row.replace(['*', '`'], "");
            let id = format!("{}/{row}", variant.column);
            criterion.bench_function(&id, |bencher| {
                bencher.iter_custom(|count| variant.time(count));
            });
        }
    }
    criterion.final_summary();
}

fn goals(effort: Effort) {
    let mut report = Report(Vec::new());
    for contest in contests::all() {
        report.0.extend(contest.measure(effort));
    }
    let (table, goals) = (report.table(), report.goals());
    if let Effort::Smoke = effort {
        assert!(goals.iter().all(|goal| goal.measured.is_finite()));
        return;
    }
    println!();
    machine::print();
    println!("{table}");
    for goal in goals {
        println!("{goal}");
    }
}
