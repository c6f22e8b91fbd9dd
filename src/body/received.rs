//! A request body as a server has received it.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Version};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::BoxError;

pin_project! {
    /// A request body that ends with an error if its client has reset it.
    ///
    /// A client may reset a stream of HTTP/2 with the code `NO_ERROR`. hyper takes that for the end of
    /// the body, and half of an upload that streams through would look like a whole one upstream.
    /// `Gateway` sees to it by itself where the body is hyper's own; a stack of one's own, and one
    /// within axum, does by `.map_request(Received::of)` on its outside.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use bytes::Bytes;
    /// use http::{Request, Response, Version};
    /// use http_body_util::{BodyExt, Full, StreamBody};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_bedrock::body::Received;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let service = ServiceBuilder::new()
    ///     .map_request(Received::of)
    ///     .service(service_fn(async |request: Request<Received<Full<Bytes>>>| {
    ///         let body = request.into_body().collect().await.expect("it is whole").to_bytes();
    ///         Ok::<_, Infallible>(Response::new(body))
    ///     }));
    /// let mut request = Request::new(Full::from("all of it"));
    /// *request.version_mut() = Version::HTTP_2;
    /// assert_eq!(service.oneshot(request).await.unwrap().body(), "all of it");
    /// # }
    /// ```
    #[derive(Debug)]
    pub struct Received<B> {
        #[pin]
        body: B,
        // It says so itself when it has ended.
        tells_its_end: bool,
    }
}

impl<B> Received<B> {
    /// The same request.
    ///
    /// If it came over HTTP/2, its body must say by [`Body::is_end_stream`] that it has ended, as
    /// hyper's and axum's do: one that ends and does not say so has been reset.
    pub fn of(request: Request<B>) -> Request<Self> {
        let tells_its_end = request.version() == Version::HTTP_2;
        request.map(|body| Self {
            body,
            tells_its_end,
        })
    }

    /// The same request, whose body ends where it says.
    #[cfg(feature = "gateway")]
    pub(crate) fn whole(request: Request<B>) -> Request<Self> {
        request.map(|body| Self {
            body,
            tells_its_end: false,
        })
    }
}

impl<B> Body for Received<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        if frame.is_none() && *this.tells_its_end && !this.body.is_end_stream() {
            *this.tells_its_end = false;
            return Poll::Ready(Some(Err(Reset.into())));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body did not come to its end.
#[derive(Debug)]
struct Reset;

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client has reset the request")
    }
}

impl Error for Reset {}
