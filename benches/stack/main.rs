//! What the stack costs: each layer around a service that does nothing, beside one signature of
//! `aws-sigv4`, and a whole proxy beside one without it.
//!
//! ```text
//! cargo bench --bench stack                       criterion, then the tables and the goals
//! cargo bench --bench stack -- --goals            the tables and the goals alone
//! cargo bench --bench stack -- FILTER             criterion alone
//! cargo bench --bench stack -- --drive gateway calls 1000
//! cargo bench --bench stack -- --drive layers-of 9 1000
//!                                                 so many requests on one thread, for a profiler:
//!                                                 through a proxy, or to a row of the layers' table
//! ```
//!
//! Figures come from variants that take turns, round after round, so that a machine which is
//! disturbed for a while is so for all of them. Of a proxy it is the time that its thread spends on
//! a processor, as Linux counts it; clients and upstream are on another thread.

use std::env;
use std::time::Duration;

use criterion::Criterion;

use crate::compare::Comparison;
use crate::peer::Work;
use crate::proxy::Proxy;
use crate::report::{Goal, Report};
use crate::variant::Effort;

#[path = "../sigv4/aws.rs"]
#[allow(dead_code)]
mod aws;
mod compare;
mod converse;
#[path = "../observe/events.rs"]
#[allow(dead_code)]
mod events;
mod layers;
#[path = "../sigv4/machine.rs"]
mod machine;
mod peer;
mod proxy;
#[path = "../observe/report.rs"]
#[allow(dead_code)]
mod report;
#[path = "../sigv4/request.rs"]
#[allow(dead_code)]
mod request;
#[path = "../sigv4/variant.rs"]
#[allow(dead_code)]
mod variant;

/// Of the layers' contest.
const BUDGET: Duration = Duration::from_secs(20);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |name| arguments.iter().any(|argument| argument == name);
    if has("--drive") {
        return drive(&arguments);
    }

    layers::is_signed();
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

fn drive(arguments: &[String]) {
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let mut numbers = arguments
        .iter()
        .filter_map(|argument| argument.parse().ok());
    if has("layers-of") {
        let [row, requests] = [(); 2].map(|()| numbers.next().unwrap_or_default());
        return layers::drive(row as usize, requests);
    }
    let proxy = Proxy::ALL.into_iter().find(|proxy| has(proxy.name()));
    let works = [Work::Calls, Work::Streams];
    let work = works.into_iter().find(|work| has(work.name()));
    let requests = numbers.next().map(|requests: u64| requests as usize);
    match (proxy, work, requests) {
        (Some(proxy), Some(work), Some(requests)) => compare::drive(proxy, work, requests),
        _ => eprintln!(
            "--drive bare|observe|layers|gateway calls|streams REQUESTS, or --drive layers-of ROW REQUESTS"
        ),
    }
}

fn criterion() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for mut variant in layers::contest().variants {
        let id = format!("{}/{}", variant.column, variant.row);
        criterion.bench_function(&id, |bencher| {
            bencher.iter_custom(|count| variant.time(count));
        });
    }
    criterion.final_summary();
}

fn goals(smoke: bool) {
    let effort = match smoke {
        true => Effort::Smoke,
        false => Effort::For(BUDGET),
    };
    let mut report = Report::default();
    report.add(layers::contest().measure(effort));
    let mut proxies = compare::all(smoke);
    let goals = [
        Goal::at_most(
            "all four layers vs one aws-sigv4 signature",
            report.added(layers::BARE, layers::ALL, layers::AWS),
            0.4,
        ),
        Goal::at_most("allocations of all four layers", layers::allocations(), 8.0),
        Goal::at_most(
            "CPU time of a proxy of calls, with the stack vs without",
            Comparison::judged(&proxies, Work::Calls),
            1.12,
        ),
        Goal::at_most(
            "CPU time of a proxy of 60-frame streams, with the stack vs without",
            Comparison::judged(&proxies, Work::Streams),
            1.12,
        ),
    ];
    if smoke {
        return;
    }
    println!();
    machine::print();
    println!("{}", report.table());
    println!("| layer | adds, in aws-sigv4 signatures | on top of |\n|---|---:|---|");
    for (without, with, name) in [
        (layers::BARE, layers::OBSERVE, "observe"),
        (layers::BARE, layers::AUTH, "auth"),
        (layers::BARE, layers::REWRITE, "rewrite"),
        (layers::BARE_TO_AWS, layers::SIGN, "sign"),
        (layers::OBSERVE, layers::TWO, "auth"),
        (layers::TWO, layers::THREE, "rewrite"),
        (layers::THREE, layers::ALL, "sign"),
    ] {
        let added = report.added(without, with, layers::AWS);
        println!("| {name} | {added:.3} | {without} |");
    }
    println!("\n{}", Comparison::table(&mut proxies));
    for goal in goals {
        println!("{goal}");
    }
}
