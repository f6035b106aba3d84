//! Follows the bytes that a client sends, to know whether it is in the middle of a request's header.

/// What a client sends first in HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const FRAME_HEAD: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// What the bytes so far end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Bytes of HTTP/1: the begin of a header, unless a request is in flight.
    Http1,
    /// A part of a header.
    InHeader,
    /// Something else of HTTP/2.
    OutsideHeader,
}

/// The reader of one connection.
pub(super) enum HeaderReader {
    /// So many bytes of HTTP/2's preface were read, and nothing else.
    Preface(usize),
    Http1,
    Http2(Frames),
}

impl HeaderReader {
    pub(super) fn new() -> Self {
        Self::Preface(0)
    }

    pub(super) fn read(&mut self, bytes: &[u8]) -> End {
        let mut rest = bytes;
        if let Self::Preface(read) = self {
            let expected = &PREFACE[*read..];
            let length = expected.len().min(bytes.len());
            if expected[..length] != bytes[..length] {
                *self = Self::Http1;
            } else if length < expected.len() {
                *read += length;
            } else {
                *self = Self::Http2(Frames::default());
                rest = &bytes[length..];
            }
        }
        match self {
            Self::Preface(_) => End::InHeader,
            Self::Http1 => End::Http1,
            Self::Http2(frames) => {
                frames.read(rest);
                if frames.are_in_header() {
                    End::InHeader
                } else {
                    End::OutsideHeader
                }
            }
        }
    }
}

/// The frames of an HTTP/2 connection (RFC 9113, section 4.1).
#[derive(Default)]
pub(super) struct Frames {
    /// The first bytes of the current frame: length, type, flags, stream.
    head: [u8; FRAME_HEAD],
    head_read: usize,
    payload_left: usize,
    /// A HEADERS frame came without END_HEADERS, so CONTINUATION frames must follow.
    continues: bool,
    /// The first frame, SETTINGS, was read: until then, the client has not completed its preface.
    has_settings: bool,
}

impl Frames {
    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let length = if self.head_read < FRAME_HEAD {
                let length = bytes.len().min(FRAME_HEAD - self.head_read);
                self.head[self.head_read..][..length].copy_from_slice(&bytes[..length]);
                self.head_read += length;
                let [high, middle, low, ..] = self.head;
                self.payload_left = u32::from_be_bytes([0, high, middle, low]) as usize;
                length
            } else {
                let length = bytes.len().min(self.payload_left);
                self.payload_left -= length;
                length
            };
            bytes = &bytes[length..];
            if self.head_read == FRAME_HEAD && self.payload_left == 0 {
                self.end_frame();
            }
        }
    }

    fn end_frame(&mut self) {
        let [_, _, _, kind, flags, ..] = self.head;
        if matches!(kind, HEADERS | CONTINUATION) {
            self.continues = flags & END_HEADERS == 0;
        }
        self.head_read = 0;
        self.has_settings = true;
    }

    fn are_in_header(&self) -> bool {
        let frame_is_header = match self.head_read {
            0 => false,
            FRAME_HEAD => matches!(self.head[3], HEADERS | CONTINUATION),
            // Its type may not be known yet.
            _ => true,
        };
        frame_is_header || self.continues || !self.has_settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: u8 = 4;
    const DATA: u8 = 0;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let head = [0, 0, payload.len() as u8, kind, flags, 0, 0, 0, 1];
        [&head[..], payload].concat()
    }

    /// What each prefix of the bytes ends with, however they are cut into reads.
    fn ends(bytes: &[u8]) -> Vec<End> {
        let mut reader = HeaderReader::new();
        let by_byte: Vec<_> = bytes.iter().map(|byte| reader.read(&[*byte])).collect();
        for (length, end) in (1..).zip(&by_byte) {
            let mut reader = HeaderReader::new();
            assert_eq!(
                reader.read(&bytes[..length]),
                *end,
                "{length} bytes at once"
            );
        }
        by_byte
    }

    #[test]
    fn what_is_not_the_preface_is_http_1() {
        assert_eq!(ends(b"GET"), [End::Http1; 3]);
        assert_eq!(ends(b"PRX"), [End::InHeader, End::InHeader, End::Http1]);
    }

    #[test]
    fn the_preface_ends_with_the_settings() {
        let bytes = [PREFACE, &frame(SETTINGS, 0, &[0; 6])].concat();
        let ends = ends(&bytes);
        let (last, before) = ends.split_last().unwrap();
        assert!(before.iter().all(|end| *end == End::InHeader));
        assert_eq!(*last, End::OutsideHeader);
    }

    #[test]
    fn a_header_reaches_from_its_first_frame_to_the_end_of_its_last() {
        let settings = [PREFACE, &frame(SETTINGS, 0, &[])].concat();
        let headers = frame(HEADERS, 0, &[1, 2]);
        let continuation = frame(CONTINUATION, END_HEADERS, &[3]);
        let all = ends(&[settings.clone(), headers, continuation].concat());
        let (last, header) = all[settings.len()..].split_last().unwrap();
        assert!(header.iter().all(|end| *end == End::InHeader));
        assert_eq!(*last, End::OutsideHeader);
    }

    #[test]
    fn the_payload_of_another_frame_is_no_header() {
        let settings = [PREFACE, &frame(SETTINGS, 0, &[])].concat();
        let all = ends(&[settings.clone(), frame(DATA, 0, &[1, 2, 3])].concat());
        let data = &all[settings.len()..];
        assert_eq!(data[..FRAME_HEAD - 1], [End::InHeader; FRAME_HEAD - 1]);
        assert_eq!(data[FRAME_HEAD - 1..], [End::OutsideHeader; 4]);
    }
}
