//! The ids of a request.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use uuid::{Builder, Uuid};

use super::observation::EVENT_ID;

/// The longest event id that a client may give.
const MAX_EVENT_ID: usize = 128;

/// Of the text of a UUID.
const LENGTH: usize = 36;

/// Room and randomness are taken for so many ids at a time.
const MANY: usize = 64;

/// Random bytes of an id.
const RANDOM: usize = 8;

#[derive(Default)]
struct Supply {
    room: BytesMut,
    random: Vec<[u8; RANDOM]>,
}

thread_local! {
    static SUPPLY: RefCell<Supply> = RefCell::default();
}

/// A new id for a request of this time, whose text is shared by all that carry it.
pub(super) fn log_id(time: SystemTime) -> HeaderValue {
    let text = SUPPLY.try_with(|supply| supply.borrow_mut().text(time));
    // While a thread ends there is none.
    let text = text.unwrap_or_else(|_| Supply::default().text(time));
    HeaderValue::from_maybe_shared(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

impl Supply {
    fn text(&mut self, time: SystemTime) -> Bytes {
        if self.room.capacity() < LENGTH {
            // In the same place, if none of the ids there is needed any more.
            self.room.reserve(LENGTH * MANY);
        }
        let mut text = [0; LENGTH];
        self.uuid(time).hyphenated().encode_lower(&mut text);
        self.room.extend_from_slice(&text);
        self.room.split().freeze()
    }

    /// A UUID of version 7: milliseconds, twelve bits that say which part of one, and 62 random
    /// bits.
    fn uuid(&mut self, time: SystemTime) -> Uuid {
        let Some(random) = self.random.pop().or_else(|| self.more()) else {
            return Uuid::now_v7();
        };
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or_default();
        let part = (since.subsec_nanos() % 1_000_000) * 4096 / 1_000_000;
        let [.., high, low] = part.to_be_bytes();
        let [a, b, c, d, e, f, g, h] = random;
        let tail = [high, low, a, b, c, d, e, f, g, h];
        Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }

    /// Takes more random bytes from the system, and of these the first.
    fn more(&mut self) -> Option<[u8; RANDOM]> {
        let mut bytes = [0; RANDOM * MANY];
        getrandom::fill(&mut bytes).ok()?;
        self.random.extend_from_slice(bytes.as_chunks().0);
        self.random.pop()
    }
}

/// The client's event id, if it is fit to be sent back.
pub(super) fn event_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let value = headers.get(EVENT_ID)?;
    let bytes = value.as_bytes();
    let fits = (1..=MAX_EVENT_ID).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    fits.then(|| value.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;

    #[test]
    fn uuids_of_version_seven() {
        let time = UNIX_EPOCH + Duration::new(1_767_322_845, 6_999_999);
        let id = log_id(time);
        let uuid = Uuid::parse_str(id.to_str().unwrap()).unwrap();
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(&id.as_bytes()[..18], b"019b7ca6-7f4e-7fff");
        for time in [UNIX_EPOCH - Duration::from_secs(1), UNIX_EPOCH] {
            assert!(log_id(time).as_bytes().starts_with(b"00000000-0000-7000-"));
        }
    }

    #[test]
    fn none_twice_and_in_order() {
        let make =
            || (0..2000u32).map(|n| log_id(UNIX_EPOCH + Duration::from_micros(u64::from(n))));
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(move || make().collect::<Vec<_>>()))
            .collect();
        let ids = threads.into_iter().flat_map(|thread| {
            let ids = thread.join().unwrap();
            // From a microsecond to the next they grow.
            assert!(ids.is_sorted_by_key(|id| id.as_bytes().to_vec()));
            ids
        });
        let texts: HashSet<_> = ids.map(|id| id.to_str().unwrap().to_owned()).collect();
        assert_eq!(texts.len(), 8000);
    }
}
