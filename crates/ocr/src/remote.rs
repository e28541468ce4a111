//! What the reader process of a document and the engine say to each other over their socket.
//!
//! The reader writes messages that begin with a byte: [`PICTURE`] is followed by a [`Header`] and the pixels, [`ANSWER`] by
//! the answer about the whole document, which is the last thing it writes. The engine writes the results of the pictures in
//! their order: the length as four bytes, the lowest first, and a `Result<Recognized>` in postcard's form. A reader may be
//! [`AHEAD`] pictures ahead, and may end without reading results.

use crate::picture::{Channels, Picture, check_size};
use crate::{Recognized, Recognizer};
use socle_core::{Error, Kind, Result};
use std::io::{self, Read, Write};

/// First byte of the answer about a document. Other than those of how a process has ended, which the fork server writes.
pub const ANSWER: u8 = b'A';

/// First byte of a picture.
pub const PICTURE: u8 = b'P';

/// Most pictures that are begun and not finished: while one is recognised, the next is rendered and looked at.
pub const AHEAD: usize = 3;

/// Largest result in bytes: a page has some thousand words, and each takes less than 100 bytes.
const MAX_RESULT_BYTES: u32 = 64 << 20;

/// What comes before the pixels of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    /// See [`Picture::width`].
    pub width: u32,
    /// See [`Picture::height`].
    pub height: u32,
    /// See [`Picture::channels`].
    pub channels: Channels,
    /// See [`Picture::dpi`].
    pub dpi: Option<f32>,
}

impl Header {
    /// Length of an encoded header in bytes.
    pub const BYTES: usize = 13;

    /// The header of a picture.
    pub fn of(picture: &Picture) -> Self {
        Self { width: picture.width, height: picture.height, channels: picture.channels, dpi: picture.dpi }
    }

    /// Width, height and resolution, each with the lowest byte first, and the bytes of a pixel. A resolution of 0 is none.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let [a, b, c, d] = self.width.to_le_bytes();
        let [e, f, g, h] = self.height.to_le_bytes();
        let [i, j, k, l] = self.dpi.unwrap_or_default().to_le_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l, self.channels.bytes() as u8]
    }

    /// What [`Self::to_bytes`] has encoded, and the number of bytes of pixels that follow.
    ///
    /// # Errors
    /// `ExtractionFailed` when the picture is larger than one may be, or the header is none.
    pub fn from_bytes([a, b, c, d, e, f, g, h, i, j, k, l, channels]: [u8; Self::BYTES]) -> Result<(Self, usize)> {
        let channels = match channels {
            1 => Channels::Grey,
            3 => Channels::Rgb,
            _ => return Err(broken("a picture has an unknown form")),
        };
        let (width, height) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        let dpi = Some(f32::from_le_bytes([i, j, k, l])).filter(|dpi| dpi.is_finite() && *dpi > 0.0);
        Ok((Self { width, height, channels, dpi }, check_size(width, height, channels)?))
    }
}

/// A result as the engine writes it.
///
/// # Errors
/// `ExtractionFailed` when it cannot be encoded.
pub fn encode_result(result: &Result<Recognized>) -> Result<Vec<u8>> {
    let encoded = postcard::to_stdvec(result).map_err(|error| broken(&error.to_string()))?;
    let length = u32::try_from(encoded.len()).ok().filter(|length| *length <= MAX_RESULT_BYTES);
    let length = length.ok_or_else(|| broken("the words of a picture are too many"))?;
    Ok([&length.to_le_bytes()[..], &encoded].concat())
}

/// The reader's end: has pictures recognised by the engine.
#[derive(Debug)]
pub struct Remote<S> {
    stream: S,
    begun: usize,
}

impl<S: Read + Write> Remote<S> {
    /// Recognises over this socket, on which nothing is under way.
    pub fn new(stream: S) -> Self {
        Self { stream, begun: 0 }
    }
}

impl<S: Read + Write> Recognizer for Remote<S> {
    fn begin(&mut self, picture: Picture) -> Result<()> {
        picture.check()?;
        if self.begun >= AHEAD {
            return Err(Error::new(Kind::Bug, "too many pictures were begun"));
        }
        let header = Header::of(&picture).to_bytes();
        for part in [&[PICTURE][..], &header, &picture.pixels] {
            self.stream.write_all(part).map_err(lost)?;
        }
        self.begun += 1;
        Ok(())
    }

    fn finish(&mut self) -> Result<Recognized> {
        if self.begun == 0 {
            return Err(Error::new(Kind::Bug, "no picture was begun"));
        }
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).map_err(lost)?;
        let length = u32::from_le_bytes(length);
        if length > MAX_RESULT_BYTES {
            return Err(broken("the words of a picture are too many"));
        }
        let mut result = vec![0; length as usize];
        self.stream.read_exact(&mut result).map_err(lost)?;
        self.begun -= 1;
        postcard::from_bytes(&result).map_err(|error| broken(&error.to_string()))?
    }

    fn ahead(&self) -> usize {
        AHEAD
    }
}

fn lost(error: io::Error) -> Error {
    Error::new(Kind::ExtractionFailed, "a picture could not be sent to be recognised").detail(error.to_string())
}

fn broken(why: &str) -> Error {
    Error::new(Kind::ExtractionFailed, "a picture could not be recognised").detail(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_keeps_what_it_says_and_refuses_what_is_none() {
        let header = Header { width: 2480, height: 3508, channels: Channels::Rgb, dpi: Some(300.0) };
        assert_eq!(Header::from_bytes(header.to_bytes()).unwrap(), (header, 2480 * 3508 * 3));
        let plain = Header { channels: Channels::Grey, dpi: None, ..header };
        assert_eq!(Header::from_bytes(plain.to_bytes()).unwrap(), (plain, 2480 * 3508));
        for refused in [Header { width: 65_000, ..header }, Header { height: 0, ..header }] {
            assert_eq!(Header::from_bytes(refused.to_bytes()).unwrap_err().kind, Kind::ExtractionFailed);
        }
        let large = Header { width: 30_000, height: 30_000, ..header };
        assert!(Header::from_bytes(large.to_bytes()).is_err());
        assert!(Header::from_bytes([9; Header::BYTES]).is_err());
    }

    /// A socket whose other end has written something.
    struct Socket {
        incoming: io::Cursor<Vec<u8>>,
        written: Vec<u8>,
    }

    impl Read for Socket {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.incoming.read(buffer)
        }
    }

    impl Write for Socket {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.written.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn results_come_in_the_order_of_pictures_and_one_that_fails_does_not_fail_the_next() {
        let failed: Result<Recognized> = Err(Error::new(Kind::InferenceFailed, "x"));
        let read = Ok(Recognized { rotation: 2, ..Recognized::default() });
        let incoming = [encode_result(&failed).unwrap(), encode_result(&read).unwrap()].concat();
        let mut remote = Remote::new(Socket { incoming: io::Cursor::new(incoming), written: Vec::new() });
        let picture = Picture { width: 2, height: 1, channels: Channels::Grey, pixels: vec![7, 8], dpi: None };
        remote.begin(picture.clone()).unwrap();
        remote.begin(picture.clone()).unwrap();
        assert_eq!(remote.stream.written.len(), 2 * (1 + Header::BYTES + 2));
        assert!(remote.stream.written.ends_with(&[7, 8]));
        assert_eq!(remote.finish().unwrap_err().kind, Kind::InferenceFailed);
        assert_eq!(remote.finish().unwrap().rotation, 2);
        assert_eq!(remote.recognize(picture).unwrap_err().kind, Kind::ExtractionFailed);
    }
}
