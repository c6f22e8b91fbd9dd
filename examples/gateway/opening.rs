//! What a peer says first: which HTTP it speaks.
//!
//! hyper-util finds that out by itself, but hands the first 24 bytes on as a read of their own. hyper
//! then makes room for a second one, and its buffer is twice as large, for as long as anything is left
//! of that head.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, Take};

/// The first words of HTTP/2.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// As much of HTTP/1.1 is read at once: what hyper makes room for at first. Who fills all of it gets
/// twice the room for the next read.
const PIECE: u64 = 8 * 1024 - 1;

/// A connection whose peer has spoken. What was read of it comes first.
pub(crate) struct Opened<I> {
    io: Take<I>,
    first: Vec<u8>,
    pub(crate) is_http2: bool,
}

impl<I: AsyncRead + Unpin> Opened<I> {
    pub(crate) async fn new(mut io: I) -> Result<Self> {
        let mut first = Vec::with_capacity(PREFACE.len());
        while first.len() < PREFACE.len() && PREFACE.starts_with(&first) {
            let rest = (PREFACE.len() - first.len()) as u64;
            if (&mut io).take(rest).read_buf(&mut first).await? == 0 {
                break;
            }
        }
        Ok(Self {
            is_http2: first == PREFACE,
            io: io.take(PIECE),
            first,
        })
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Opened<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let most = if self.is_http2 { u64::MAX } else { PIECE };
        let first = std::mem::take(&mut self.first);
        let (now, later) = first.split_at(first.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.first = later.to_vec();
        self.io.set_limit(most - now.len() as u64);
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        match now.is_empty() {
            true => read,
            false => Poll::Ready(Ok(())),
        }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Opened<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(self.io.get_mut()).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(self.io.get_mut()).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.get_ref().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(self.io.get_mut()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(self.io.get_mut()).poll_shutdown(cx)
    }
}
