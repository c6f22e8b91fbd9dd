//! The table and the goals.

use std::fmt;

use crate::contests::{
    APART, AWS, AWS_ROUTE, AWS_SECOND, COLUMNS, IRREDUCIBLE, LAST_BYTE, LAYER, LAYER_FRAMES,
    MESSAGES, PLAIN, PLAIN_FRAMES, SHARED, SIGNER, SIGNER_ROUTE, SIGNER_SECOND,
};
use crate::event_stream;
use crate::variant::Measured;

/// Everything that was measured.
pub(crate) struct Report(pub(crate) Vec<Measured>);

/// Its `Display` is the line that is printed.
pub(crate) struct Goal {
    name: String,
    pub(crate) measured: f64,
    wanted: Wanted,
}

enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

use Wanted::{AtLeast, AtMost};

impl Report {
    fn find(&self, column: &str, row: &str) -> Option<&Measured> {
        self.0.iter().find(|m| m.column == column && m.row == row)
    }

    /// How often `b` is done in the time of one `a`. A missing one is a mistake in this bench, and
    /// NaN meets no goal.
    fn ratio(&self, column: &str, a: &str, b: &str) -> f64 {
        match (self.find(column, a), self.find(column, b)) {
            (Some(a), Some(b)) => quotient(a, b),
            _ => f64::NAN,
        }
    }

    pub(crate) fn goals(&self) -> Vec<Goal> {
        let mut goals = Vec::new();
        let mut goal = |name: String, measured, wanted| {
            goals.push(Goal {
                name,
                measured,
                wanted,
            });
        };
        let by_size: [(&str, &str, &str, [Wanted; 4]); 4] = [
            (
                "signer vs aws-sigv4",
                AWS[0],
                SIGNER[0],
                [11.0, 2.8, 1.12, 0.97].map(AtLeast),
            ),
            (
                "signer vs aws-sigv4, session token",
                AWS[1],
                SIGNER[1],
                [13.0, 3.3, 1.14, 0.97].map(AtLeast),
            ),
            (
                "signer vs irreducible chain",
                SIGNER[0],
                IRREDUCIBLE[0],
                [1.46, 1.07, 1.04, 1.03].map(AtMost),
            ),
            (
                "layer vs plain layer on aws-sigv4",
                PLAIN[0],
                LAYER[0],
                [9.5, 2.9, 1.12, 0.97].map(AtLeast),
            ),
        ];
        for (name, a, b, wanted) in by_size {
            for (column, wanted) in COLUMNS.into_iter().zip(wanted) {
                let ratio = self.ratio(column, a, b);
                goal(format!("{name}, {column}"), ratio, wanted);
            }
        }

        let [short, middle, _, long] = COLUMNS;
        let mut goal = |name: &str, measured, wanted| goal(name.to_owned(), measured, wanted);
        goal(
            "layer vs plain layer on aws-sigv4, 1 MiB in frames of 16 KiB",
            self.ratio(long, PLAIN_FRAMES, LAYER_FRAMES),
            AtLeast(1.4),
        );
        goal(
            "signer vs aws-sigv4, first request of a second",
            self.ratio(short, AWS_SECOND[0], SIGNER_SECOND[0]),
            AtLeast(5.5),
        );
        goal(
            "signer vs aws-sigv4, first request of a second, session token",
            self.ratio(short, AWS_SECOND[1], SIGNER_SECOND[1]),
            AtLeast(5.5),
        );
        goal(
            "signer vs aws-sigv4, a route never seen before",
            self.ratio(short, AWS_ROUTE, SIGNER_ROUTE),
            AtLeast(4.0),
        );
        goal(
            "requests per second of two threads, one layer vs a layer each",
            self.ratio(short, APART, SHARED),
            AtLeast(0.95),
        );
        let ends = [long, middle].map(|column| self.find(column, LAST_BYTE));
        goal(
            "last byte to signed head, 1 MiB vs 4 KiB",
            match ends {
                [Some(long), Some(middle)] => quotient(long, middle),
                _ => f64::NAN,
            },
            AtMost(1.15),
        );
        goal(
            "event-stream message of 1 KiB vs aws-sigv4",
            self.ratio(event_stream::COLUMN, MESSAGES[0], MESSAGES[1]),
            AtLeast(3.0),
        );

        goals
    }

    /// In Markdown.
    pub(crate) fn table(&self) -> String {
        let mut rows: Vec<&str> = Vec::new();
        for measured in &self.0 {
            if COLUMNS.contains(&measured.column) && !rows.contains(&measured.row) {
                rows.push(measured.row);
            }
        }
        let line = |row: &str, cells: [String; 4]| format!("| {row} | {} |\n", cells.join(" | "));
        let mut table = line("", COLUMNS.map(str::to_owned)) + "|---|---:|---:|---:|---:|\n";
        for row in rows {
            let cells = COLUMNS.map(|column| match self.find(column, row) {
                Some(measured) => self.cell(measured),
                None => String::new(),
            });
            table += &line(row, cells);
        }
        for measured in &self.0 {
            if !COLUMNS.contains(&measured.column) {
                let (row, column) = (measured.row, measured.column);
                table += &format!("\n{row}, {column}: {}\n", self.cell(measured));
            }
        }
        table
    }

    fn cell(&self, measured: &Measured) -> String {
        let time = time(median(measured.rounds.clone()));
        match measured.against {
            Some(against) => {
                let ratio = self.ratio(measured.column, against, measured.row);
                format!("{time} ({ratio:.2}x)")
            }
            None => time,
        }
    }
}

impl Wanted {
    fn met_by(&self, measured: f64) -> bool {
        match *self {
            AtLeast(bound) => measured >= bound,
            AtMost(bound) => measured <= bound,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            measured,
            wanted,
        } = self;
        let met = if wanted.met_by(*measured) {
            "ok"
        } else {
            "short"
        };
        write!(
            f,
            "goal: {name} | measured {measured:.3} | wanted {wanted} | {met}"
        )
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AtLeast(bound) => write!(f, ">= {bound}"),
            AtMost(bound) => write!(f, "<= {bound}"),
        }
    }
}

/// The median of the rounds' ratios: steadier than the ratio of the medians where a round is
/// disturbed as a whole.
fn quotient(a: &Measured, b: &Measured) -> f64 {
    let pairs = a.rounds.iter().zip(&b.rounds);
    median(pairs.map(|(a, b)| a / b).collect())
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    numbers.get(middle).copied().unwrap_or(f64::NAN)
}

fn time(nanos: f64) -> String {
    match nanos {
        ..1e4 => format!("{nanos:.0} ns"),
        ..1e5 => format!("{:.1} µs", nanos / 1e3),
        _ => format!("{:.0} µs", nanos / 1e3),
    }
}
