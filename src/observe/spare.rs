//! The room of a record that nobody keeps any more goes to the next one.

use std::cell::RefCell;
use std::sync::Arc;

use super::record::Record;

thread_local! {
    static SPARE: RefCell<Option<Arc<Record>>> = const { RefCell::new(None) };
}

/// A record to be filled: all that is in it is of another request.
pub(super) fn take() -> Arc<Record> {
    let spare = SPARE.try_with(|spare| spare.take());
    spare
        .ok()
        .flatten()
        .unwrap_or_else(|| Arc::new(Record::blank()))
}

/// Keeps the room, if nobody else has the record. One is enough for a thread: whoever keeps the
/// latest few gives one back for each that comes.
pub(super) fn give_back(mut record: Arc<Record>) {
    if let Some(record) = Arc::get_mut(&mut record) {
        // What may be long, or told in confidence, does not wait for the next request.
        record.metadata = None;
        record.ignored = Vec::new();
        record.request_body = None;
        record.response_body = None;
    } else {
        return;
    }
    // While a thread ends there is no place for it: then it is freed.
    let before = SPARE.try_with(|spare| spare.replace(Some(record)));
    drop(before);
}
