//! The ids of a request.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

use super::observation::EVENT_ID;

/// The longest event id that a client may give.
const MAX_EVENT_ID: usize = 128;

/// Of the text of a UUID.
const LENGTH: usize = 36;

/// Room is taken for so many ids at a time.
const MANY: usize = 64;

thread_local! {
    static ROOM: RefCell<BytesMut> = RefCell::default();
}

/// A new id, whose text is shared by all that carry it.
pub(super) fn log_id() -> HeaderValue {
    let mut text = [0; LENGTH];
    Uuid::now_v7().hyphenated().encode_lower(&mut text);
    let shared = ROOM.try_with(|room| {
        let mut room = room.borrow_mut();
        if room.capacity() < LENGTH {
            *room = BytesMut::with_capacity(LENGTH * MANY);
        }
        room.extend_from_slice(&text);
        room.split().freeze()
    });
    // While a thread ends there is no such room.
    let text = shared.unwrap_or_else(|_| Bytes::copy_from_slice(&text));
    HeaderValue::from_maybe_shared(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The client's event id, if it is fit to be sent back.
pub(super) fn event_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let value = headers.get(EVENT_ID)?;
    let bytes = value.as_bytes();
    let fits = (1..=MAX_EVENT_ID).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    fits.then(|| value.clone())
}
