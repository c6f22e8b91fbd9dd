//! A second, as SigV4 writes it.

use std::time::SystemTime;

const DAY: u64 = 24 * 60 * 60;

/// A second from 1970 to 9999, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Second(u64);

impl Second {
    /// The second that `time` is in.
    pub(super) fn of(time: SystemTime) -> Option<Self> {
        /// 9999-12-31T23:59:59Z.
        const LAST: u64 = 253_402_300_799;
        let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        (since.as_secs() <= LAST).then_some(Self(since.as_secs()))
    }

    /// Seconds since 1970.
    pub(super) fn unix(self) -> u64 {
        self.0
    }

    /// Days since 1970.
    pub(super) fn day(self) -> u64 {
        self.0 / DAY
    }

    /// `20260102T030405Z`; its first eight characters are the date.
    pub(super) fn text(self) -> [u8; 16] {
        let (year, month, day) = civil(self.day());
        let second = self.0 % DAY;
        let mut text = *b"00000000T000000Z";
        for (at, value) in [
            (0, year / 100),
            (2, year % 100),
            (4, month),
            (6, day),
            (9, second / 3600),
            (11, second / 60 % 60),
            (13, second % 60),
        ] {
            text[at] = b'0' + (value / 10) as u8;
            text[at + 1] = b'0' + (value % 10) as u8;
        }
        text
    }
}

/// Year, month and day in the Gregorian calendar, `days` after 1970-01-01.
///
/// Counted in years that begin on the first of March, so that the leap day is their last; an era
/// is 400 years, after which the calendar repeats.
fn civil(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    // From 0000-03-01.
    let days = days + 719_468;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + carry, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::Second;

    fn text(unix: u64) -> String {
        String::from_utf8(Second(unix).text().to_vec()).unwrap()
    }

    #[test]
    fn known_seconds() {
        for (unix, wanted) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_767_322_845, "20260102T030045Z"),
            (4_107_542_400, "21000301T000000Z"),
            (253_402_300_799, "99991231T235959Z"),
        ] {
            assert_eq!(text(unix), wanted);
        }
    }

    /// Every day until 9999, counted one by one.
    #[test]
    fn every_day() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..=253_402_300_799 / super::DAY {
            assert_eq!(super::civil(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn what_cannot_be_written() {
        let epoch = SystemTime::UNIX_EPOCH;
        assert!(Second::of(epoch - Duration::from_nanos(1)).is_none());
        assert!(Second::of(epoch + Duration::from_secs(253_402_300_800)).is_none());
        let last = epoch + Duration::from_secs(253_402_300_799) + Duration::from_nanos(1);
        assert_eq!(Second::of(last).unwrap().unix(), 253_402_300_799);
    }
}
