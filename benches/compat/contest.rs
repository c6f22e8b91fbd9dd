//! The translation and `Value` in turn.

use std::time::{Duration, Instant};

use allocation_counter::opt_out;

use crate::goal::Goal;

/// The same bytes, translated and read into a `Value`.
pub(crate) struct Contest {
    pub(crate) name: &'static str,
    /// How many bytes are read.
    pub(crate) bytes: usize,
    /// Pieces of work in one call of either.
    pub(crate) pieces: u32,
    pub(crate) ours: Box<dyn FnMut()>,
    pub(crate) value: Box<dyn FnMut()>,
    /// Ratio of the times, at most.
    pub(crate) wanted: f64,
}

/// How long a contest goes on.
#[derive(Clone, Copy)]
pub(crate) enum Effort {
    /// One round, to see that it runs.
    Smoke,
    /// Round after round, for so long.
    For(Duration),
}

impl Contest {
    /// Prints a row of the table.
    pub(crate) fn measure(mut self, effort: Effort) -> Goal {
        let start = Instant::now();
        let calls = match effort {
            Effort::Smoke => 1,
            Effort::For(_) => 1 + 200 / self.pieces,
        };
        let (mut ours, mut value, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let mut times = [0.0; 2];
            opt_out(|| {
                times = [&mut self.ours, &mut self.value].map(|work| {
                    time(work, calls.div_ceil(4));
                    time(work, calls) / f64::from(calls * self.pieces)
                });
            });
            let [translated, parsed] = times;
            ratios.push(translated / parsed);
            ours.push(translated);
            value.push(parsed);
            match effort {
                Effort::For(budget) if start.elapsed() < budget => {}
                _ => break,
            }
        }
        let [ours, value, ratio] = [ours, value, ratios].map(median);
        let Self { name, bytes, .. } = self;
        println!("| {name} | {bytes} | {ours:.0} ns | {value:.0} ns | {ratio:.3} |");
        Goal {
            name,
            measured: ratio,
            wanted: self.wanted,
        }
    }
}

/// Nanoseconds.
fn time(work: &mut impl FnMut(), calls: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        work();
    }
    start.elapsed().as_nanos() as f64
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    numbers.get(middle).copied().unwrap_or(f64::NAN)
}
