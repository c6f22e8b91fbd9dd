//! What is kept between requests: of a few paths, for each thread, and by names.

mod lately;
mod mark;
mod per_thread;

pub(crate) use self::lately::Lately;
pub(crate) use self::mark::{ByName, fold, mix};
pub(crate) use self::per_thread::PerThread;
