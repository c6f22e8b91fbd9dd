//! How far this machine's clock is from AWS's, learned from AWS's own refusals.
//!
//! A signature is good for five minutes around AWS's time. When AWS refuses one for its time, the
//! `Date` of the answer (RFC 9110 §6.6.1) says what that time is; the next attempt is dated by it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http::header::{DATE, HeaderMap};
use http::uri::{Authority, Uri};

/// Differences below this many seconds are no skew: AWS takes more, so its refusal is not due to
/// them.
const LEAST: u64 = 60;
/// An offset of more seconds than these is not believed.
const MOST: u64 = 24 * 60 * 60;
/// As many hosts are remembered.
const HOSTS: usize = 64;

/// The offsets that were learned, by host. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Skew(Arc<Learned>);

#[derive(Debug, Default)]
struct Learned {
    /// Whether `hosts` holds any. Relaxed, for nothing is read on the strength of it but `hosts`,
    /// behind its lock: a request that comes too early to see it is signed as before.
    any: AtomicBool,
    /// Host and offset, the one that was learned last at the end.
    hosts: RwLock<Vec<(Box<str>, i64)>>,
}

impl Skew {
    /// The time of this host, when it is `now` by this machine's clock.
    #[inline]
    pub(super) fn corrected(&self, now: SystemTime, authority: &Authority) -> SystemTime {
        shifted(now, self.offset(authority))
    }

    /// Seconds to add to this machine's clock to get that of this host; 0 as long as nothing is
    /// known.
    #[inline]
    fn offset(&self, authority: &Authority) -> i64 {
        match self.0.any.load(Relaxed) {
            true => self.known(host(authority.as_str())),
            false => 0,
        }
    }

    fn known(&self, host: &str) -> i64 {
        let hosts = self.0.hosts.read().unwrap_or_else(PoisonError::into_inner);
        find(&hosts, host).map_or(0, |at| hosts[at].1)
    }

    /// Remembers the offset of `host`, or forgets the host if the clocks agree. Whether that is
    /// news.
    fn learn(&self, host: &str, offset: i64) -> bool {
        let mut hosts = self.0.hosts.write().unwrap_or_else(PoisonError::into_inner);
        let known = find(&hosts, host);
        let before = known.map_or(0, |at| hosts[at].1);
        if before.abs_diff(offset) < LEAST {
            // Many requests may be refused before the first of them has taught us.
            return false;
        }
        if let Some(at) = known {
            hosts.remove(at);
        } else if hosts.len() >= HOSTS {
            hosts.remove(0);
        }
        if offset.unsigned_abs() >= LEAST {
            hosts.push((host.into(), offset));
        }
        self.0.any.store(!hosts.is_empty(), Relaxed);
        true
    }
}

fn find(hosts: &[(Box<str>, i64)], host: &str) -> Option<usize> {
    hosts
        .iter()
        .position(|(known, _)| known.eq_ignore_ascii_case(host))
}

/// The date of one signature, and for whom it was.
///
/// Most hosts have a short name: to copy it takes less time than to count a reference.
#[derive(Debug)]
pub(super) struct Dated {
    short: [u8; SHORT],
    length: u8,
    long: Option<Authority>,
    /// What the request was signed with: by our clock, corrected.
    time: Option<SystemTime>,
}

const SHORT: usize = 63;

impl Dated {
    /// Of no signature.
    #[inline]
    pub(super) fn never() -> Self {
        Self {
            short: [0; SHORT],
            length: 0,
            long: None,
            time: None,
        }
    }

    /// A request to `uri` is signed with this time.
    #[inline]
    pub(super) fn set(&mut self, uri: &Uri, time: SystemTime) {
        let Some(authority) = uri.authority() else {
            return;
        };
        let host = authority.as_str().as_bytes();
        match self.short.get_mut(..host.len()) {
            Some(room) => {
                room.copy_from_slice(host);
                self.length = host.len() as u8;
            }
            None => self.long = Some(authority.clone()),
        }
        self.time = Some(time);
    }

    fn host(&self) -> &str {
        let short = &self.short[..usize::from(self.length)];
        let short = || str::from_utf8(short).unwrap_or_default();
        host(self.long.as_ref().map_or_else(short, Authority::as_str))
    }

    /// Learns from AWS's refusal `kind` with these headers. Whether the time was at fault, so that
    /// an attempt with a fresh date can do better.
    pub(super) fn learn(
        &self,
        clock: fn() -> SystemTime,
        skew: &Skew,
        kind: &str,
        headers: &HeaderMap,
    ) -> bool {
        let date = is_of_time(kind).then(|| date(headers)).flatten();
        let (Some(time), Some(date)) = (self.time, date) else {
            return false;
        };
        // By the clock of now: how long the request was on its way is no part of the offset.
        let offset = date.saturating_sub(seconds(clock()));
        if date.abs_diff(seconds(time)) < LEAST || offset.unsigned_abs() > MOST {
            return false;
        }
        let host = self.host();
        if skew.learn(host, offset) {
            let what = if offset.unsigned_abs() < LEAST {
                "this machine's clock agrees with AWS's again"
            } else {
                "this machine's clock differs from AWS's: signatures are dated by AWS's"
            };
            tracing::warn!(host, offset_seconds = offset, "{what}");
        }
        true
    }
}

/// Whether AWS refuses so what was signed with a wrong time. It says the second of a wrong key
/// too, and of a request that was changed.
fn is_of_time(kind: &str) -> bool {
    const KINDS: [&str; 3] = ["RequestTimeTooSkewed", "InvalidSignature", "RequestExpired"];
    KINDS.iter().any(|start| kind.starts_with(start))
}

/// `Date` in seconds since 1970, if there is exactly one and it is an IMF-fixdate (RFC 9110
/// §5.6.7), the form that a server has to send.
fn date(headers: &HeaderMap) -> Option<i64> {
    let mut values = headers.get_all(DATE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let date = DateTime::from_str(value.to_str().ok()?, Format::HttpDate).ok()?;
    Some(date.secs())
}

/// Host and port, without user information.
fn host(authority: &str) -> &str {
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

fn shifted(time: SystemTime, offset: i64) -> SystemTime {
    if offset == 0 {
        return time;
    }
    let distance = Duration::from_secs(offset.unsigned_abs());
    let shifted = if offset < 0 {
        time.checked_sub(distance)
    } else {
        time.checked_add(distance)
    };
    shifted.unwrap_or(time)
}

fn seconds(time: SystemTime) -> i64 {
    let count = |distance: Duration| i64::try_from(distance.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => count(since),
        Err(before) => -count(before.duration()),
    }
}

#[cfg(test)]
mod tests;
