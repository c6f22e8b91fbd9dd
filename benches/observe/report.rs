//! The table and the goals.

use std::fmt;

use crate::variant::Measured;

/// Everything that was measured.
#[derive(Default)]
pub(crate) struct Report(Vec<Measured>);

/// Its `Display` is the line that is printed.
pub(crate) struct Goal {
    name: &'static str,
    pub(crate) measured: f64,
    wanted: f64,
    /// Else at most.
    at_least: bool,
}

impl Report {
    pub(crate) fn add(&mut self, measured: impl Iterator<Item = Measured>) {
        self.0.extend(measured);
    }

    /// What `with` takes longer than `without`, in times of `unit`. A missing one is a mistake in
    /// this bench, and NaN meets no goal.
    pub(crate) fn added(&self, without: &str, with: &str, unit: &str) -> f64 {
        let find = |row| self.0.iter().find(|measured| measured.row == row);
        let (Some(without), Some(with), Some(unit)) = (find(without), find(with), find(unit))
        else {
            return f64::NAN;
        };
        let rounds = without.rounds.iter().zip(&with.rounds).zip(&unit.rounds);
        median(
            rounds
                .map(|((without, with), unit)| (with - without) / unit)
                .collect(),
        )
    }

    /// In Markdown.
    pub(crate) fn table(&self) -> String {
        let mut table = "| | ns | |\n|---|---:|---|\n".to_owned();
        for measured in &self.0 {
            let time = median(measured.rounds.clone());
            table += &format!("| {} | {time:.1} | {} |\n", measured.row, measured.column);
        }
        table
    }
}

impl Goal {
    pub(crate) fn at_most(name: &'static str, measured: f64, wanted: f64) -> Self {
        Self {
            name,
            measured,
            wanted,
            at_least: false,
        }
    }

    pub(crate) fn at_least(name: &'static str, measured: f64, wanted: f64) -> Self {
        Self {
            at_least: true,
            ..Self::at_most(name, measured, wanted)
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            measured,
            wanted,
            at_least,
        } = self;
        let (sign, is_met) = match at_least {
            true => (">=", measured >= wanted),
            false => ("<=", measured <= wanted),
        };
        let met = if is_met { "ok" } else { "short" };
        write!(
            f,
            "goal: {name} | measured {measured:.3} | wanted {sign} {wanted} | {met}"
        )
    }
}

pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    numbers.get(middle).copied().unwrap_or(f64::NAN)
}
