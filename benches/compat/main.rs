//! What a translation costs: against parsing the same bytes into [`serde_json::Value`] and writing
//! them back, and in allocations.
//!
//! ```text
//! cargo bench --bench compat                       criterion, then the table and the goals
//! cargo bench --bench compat -- --goals            the table and the goals alone
//! cargo bench --bench compat -- FILTER             criterion alone
//! ```
//!
//! Both do their work in turn, round after round; a ratio is the median of the rounds' ratios.
//! `Value` is written into a buffer that has room for it. Allocations are not counted while the
//! time is taken, which leaves about a nanosecond for each of them on both sides.

use std::env;
use std::time::Duration;

use criterion::Criterion;

mod contest;
mod flow;
mod goal;
mod inputs;
mod memory;
mod works;

use crate::contest::{Contest, Effort};

/// Of each contest for the goals; there are three.
const BUDGET: Duration = Duration::from_secs(12);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |name| arguments.iter().any(|argument| argument == name);

    // Without `--bench`, which `cargo bench` gives, it is a test: everything once.
    let smoke = has("--test") || !has("--bench");
    let only = arguments.iter().all(|argument| argument == "--bench");
    if !has("--goals") {
        criterion();
    }
    if smoke || only || has("--goals") {
        goals(if smoke {
            Effort::Smoke
        } else {
            Effort::For(BUDGET)
        });
    }
}

fn criterion() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for Contest {
        name, ours, value, ..
    } in works::all()
    {
        for (by, mut work) in [("translated", ours), ("Value", value)] {
            criterion.bench_function(&format!("{name}/{by}"), |bencher| bencher.iter(&mut work));
        }
    }
    criterion.final_summary();
}

fn goals(effort: Effort) {
    let mut goals = Vec::new();
    println!("\n| | bytes | translated | through `Value` | ratio |\n|---|---:|---:|---:|---:|");
    for contest in works::all() {
        goals.push(contest.measure(effort));
    }
    goals.extend(memory::goals());
    println!();
    for goal in goals {
        assert!(goal.measured.is_finite());
        if matches!(effort, Effort::For(_)) {
            println!("{goal}");
        }
    }
}
