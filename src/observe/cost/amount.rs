use std::fmt;

use serde_core::{Serialize, Serializer};

use super::decimal;

const PICODOLLARS: u64 = 1_000_000_000_000;

/// An amount in US dollars, kept in whole picodollars: a millionth of a millionth.
///
/// Sums are exact, and stop at the greatest amount, above 18 million dollars. It serializes to a
/// number in US dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost(u64);

impl Cost {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many picodollars.
    pub const fn from_picodollars(picodollars: u64) -> Self {
        Self(picodollars)
    }

    /// To the nearest picodollar.
    pub(super) fn from_attodollars(attodollars: u128) -> Self {
        let nearest = attodollars.saturating_add(500_000) / 1_000_000;
        Self(u64::try_from(nearest).unwrap_or(u64::MAX))
    }

    /// In picodollars.
    pub const fn picodollars(self) -> u64 {
        self.0
    }

    /// In US dollars.
    pub fn as_usd(self) -> f64 {
        self.0 as f64 / PICODOLLARS as f64
    }
}

impl fmt::Display for Cost {
    /// In US dollars, with no more digits than are needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::show(self.0, 12))
    }
}

impl Serialize for Cost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_usd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_as_dollars() {
        for (picodollars, text, json) in [
            (0, "0", "0.0"),
            (1, "0.000000000001", "1e-12"),
            (96_000_000, "0.000096", "0.000096"),
            (1_500_000_000_000, "1.5", "1.5"),
            (3_000_000_000_000, "3", "3.0"),
        ] {
            let cost = Cost::from_picodollars(picodollars);
            assert_eq!(cost.to_string(), text);
            assert_eq!(serde_json::to_string(&cost).unwrap(), json);
        }
        assert_eq!(
            Cost::from_picodollars(u64::MAX).to_string(),
            "18446744.073709551615"
        );
    }
}
