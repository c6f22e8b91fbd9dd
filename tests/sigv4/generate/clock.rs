//! A clock that walks, and sometimes leaps.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::dice::Dice;

const DAY: i64 = 86_400;

/// 0001-01-01T00:00:00, in seconds since 1970: what is before it has no four digits.
pub const YEAR_1: i64 = -62_135_596_800;

/// Where it is put at times, in seconds since 1970: days, nights and years that are easy to get
/// wrong.
const PLACES: &[i64] = &[
    0,
    1,
    DAY - 1,
    951_782_400,             // 2000-02-29
    951_868_799,             // the last second of that day
    1_078_012_800,           // 2004-02-29
    1_767_225_599,           // 2025-12-31T23:59:59
    1_767_323_045,           // 2026-01-02T03:04:05
    1_835_395_200 + DAY - 1, // 2028-02-29
    4_107_542_399,           // 2100-02-28T23:59:59, no leap year
    253_402_300_799,         // 9999-12-31T23:59:59
    253_402_214_400,         // that midnight
];

/// And, seldom and for one request, before 1970.
const EARLY: &[i64] = &[-1, -DAY, -DAY - 1, -2_208_988_800, YEAR_1];

#[derive(Debug)]
pub struct Clock {
    seconds: i64,
    earlier: Vec<i64>,
}

impl Clock {
    pub fn new(dice: &mut Dice) -> Self {
        let seconds = 1_767_323_045 + dice.below(1000 * 86_400) as i64;
        Self {
            seconds,
            earlier: vec![seconds],
        }
    }

    /// Moves on, and says how late it is: mostly the same second or the next.
    pub fn tick(&mut self, dice: &mut Dice) -> SystemTime {
        let now = if self.seconds < 0 {
            self.earlier[0]
        } else {
            self.seconds
        };
        let midnight = now - now.rem_euclid(DAY);
        self.seconds = match dice.below(100) {
            0..56 => now,
            56..76 => now + 1,
            76..82 => now + 2,
            82..86 => now - 1 - dice.below(5) as i64,
            // Over midnight, there and back.
            86 => midnight + DAY - 1,
            87 => midnight + DAY,
            88 => midnight,
            89 => midnight - 1,
            90 => now + DAY,
            91 => now - DAY,
            92 => PLACES[dice.below(PLACES.len())],
            93 if dice.chance(20) => EARLY[dice.below(EARLY.len())],
            93 => dice.below(253_402_300_800) as i64,
            _ => self.earlier[dice.below(self.earlier.len())],
        }
        .clamp(YEAR_1, 253_402_300_799);
        if dice.chance(10) && self.seconds >= 0 {
            if self.earlier.len() == 16 {
                self.earlier.swap_remove(dice.below(16));
            }
            self.earlier.push(self.seconds);
        }
        // What is below the second must not matter.
        let nanos = dice.pick(&[&0, &1, &500_000_000, &999_999_999]);
        at(self.seconds) + Duration::from_nanos(*nanos)
    }
}

/// That many seconds after 1970, or before.
pub fn at(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 {
        UNIX_EPOCH - distance
    } else {
        UNIX_EPOCH + distance
    }
}
