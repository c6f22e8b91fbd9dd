use std::iter::FusedIterator;

use bytes::{BufMut, BytesMut};

use super::DecodeError;

/// The most bytes that the headers of one frame may take.
pub const MAX_HEADERS: usize = 128 * 1024;

/// The value of a frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderValue<'a> {
    /// True or false (types 0 and 1).
    Bool(bool),
    /// An 8-bit integer (type 2).
    Byte(i8),
    /// A 16-bit integer (type 3).
    Int16(i16),
    /// A 32-bit integer (type 4).
    Int32(i32),
    /// A 64-bit integer (type 5).
    Int64(i64),
    /// Up to 65,535 bytes (type 6).
    Bytes(&'a [u8]),
    /// Up to 65,535 bytes of UTF-8 (type 7).
    String(&'a str),
    /// Milliseconds since the start of 1970, UTC (type 8).
    Timestamp(i64),
    /// A UUID (type 9).
    Uuid([u8; 16]),
}

impl<'a> HeaderValue<'a> {
    /// The text, if the value is a string.
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Writes type and value. What is longer than a length field can say is cut; `encode` refuses
    /// it before.
    pub(super) fn write(&self, out: &mut BytesMut) {
        match *self {
            Self::Bool(value) => out.put_u8(u8::from(!value)),
            Self::Byte(value) => {
                out.put_u8(2);
                out.put_i8(value);
            }
            Self::Int16(value) => {
                out.put_u8(3);
                out.put_i16(value);
            }
            Self::Int32(value) => {
                out.put_u8(4);
                out.put_i32(value);
            }
            Self::Int64(value) => {
                out.put_u8(5);
                out.put_i64(value);
            }
            Self::Bytes(value) => {
                out.put_u8(6);
                put_counted(out, value);
            }
            Self::String(value) => {
                out.put_u8(7);
                let end = value.floor_char_boundary(usize::from(u16::MAX));
                put_counted(out, value.get(..end).unwrap_or_default().as_bytes());
            }
            Self::Timestamp(value) => {
                out.put_u8(8);
                out.put_i64(value);
            }
            Self::Uuid(value) => {
                out.put_u8(9);
                out.put_slice(&value);
            }
        }
    }
}

impl<'a> From<&'a str> for HeaderValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::String(text)
    }
}

/// The headers of a frame, in their order: `(name, value)`.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Headers<'a> {
    /// Reads every header once, so that iterating cannot fail later.
    pub(crate) fn validated(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            read(&mut rest)?;
        }
        Ok(Self { rest: bytes })
    }

    /// Headers that [`Headers::validated`] has seen before.
    pub(super) fn trusted(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, HeaderValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let header = read(&mut self.rest).ok();
        if header.is_none() {
            self.rest = &[];
        }
        header
    }
}

impl FusedIterator for Headers<'_> {}

fn read<'a>(input: &mut &'a [u8]) -> Result<(&'a str, HeaderValue<'a>), DecodeError> {
    let [length] = array(input)?;
    if length == 0 {
        return Err(DecodeError::HeaderName);
    }
    let name = take(input, usize::from(length))?;
    let name = std::str::from_utf8(name).map_err(|_| DecodeError::HeaderName)?;
    let [kind] = array(input)?;
    let value = match kind {
        0 => HeaderValue::Bool(true),
        1 => HeaderValue::Bool(false),
        2 => HeaderValue::Byte(i8::from_be_bytes(array(input)?)),
        3 => HeaderValue::Int16(i16::from_be_bytes(array(input)?)),
        4 => HeaderValue::Int32(i32::from_be_bytes(array(input)?)),
        5 => HeaderValue::Int64(i64::from_be_bytes(array(input)?)),
        6 => HeaderValue::Bytes(counted(input)?),
        7 => HeaderValue::String(
            std::str::from_utf8(counted(input)?).map_err(|_| DecodeError::HeaderString)?,
        ),
        8 => HeaderValue::Timestamp(i64::from_be_bytes(array(input)?)),
        9 => HeaderValue::Uuid(array(input)?),
        other => return Err(DecodeError::HeaderType(other)),
    };
    Ok((name, value))
}

fn counted<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let length = u16::from_be_bytes(array(input)?);
    take(input, usize::from(length))
}

fn array<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let (head, rest) = input
        .split_first_chunk()
        .ok_or(DecodeError::HeaderTruncated)?;
    *input = rest;
    Ok(*head)
}

fn take<'a>(input: &mut &'a [u8], length: usize) -> Result<&'a [u8], DecodeError> {
    let (head, rest) = input
        .split_at_checked(length)
        .ok_or(DecodeError::HeaderTruncated)?;
    *input = rest;
    Ok(head)
}

fn put_counted(out: &mut BytesMut, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.put_slice(value.get(..usize::from(length)).unwrap_or_default());
}
