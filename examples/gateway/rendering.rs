//! A page that takes long to make: one thread makes it, and all who ask within a second share it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

/// How old a page may be that is given once more.
const FRESH: Duration = Duration::from_secs(1);

/// Clones share the page.
#[derive(Clone)]
pub(crate) struct Rendering {
    make: Arc<dyn Fn() -> String + Send + Sync>,
    latest: Arc<Mutex<Option<(Instant, Bytes)>>>,
}

impl Rendering {
    pub(crate) fn new(make: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self {
            make: Arc::new(make),
            latest: Arc::default(),
        }
    }

    /// The page, or nothing if making it failed.
    pub(crate) async fn get(&self) -> Option<Bytes> {
        let mut latest = Arc::clone(&self.latest).lock_owned().await;
        if let Some((made, page)) = &*latest
            && made.elapsed() < FRESH
        {
            return Some(page.clone());
        }
        let make = Arc::clone(&self.make);
        // The lock goes along: if nobody waits any more, there is still one at a time.
        let making = spawn_blocking(move || {
            // Not two of them at the same time.
            *latest = None;
            let mut text = make();
            text.shrink_to_fit();
            let page = Bytes::from(text);
            *latest = Some((Instant::now(), page.clone()));
            page
        });
        making.await.ok()
    }
}
