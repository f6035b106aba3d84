//! Frames of HTTP/2 as bytes, for clients that do what a library would not.

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const HEADERS: u8 = 1;

const SETTINGS: u8 = 4;
const END_STREAM_AND_HEADERS: u8 = 5;

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head[..], payload].concat()
}

pub fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = values
        .iter()
        .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
        .collect();
    frame(SETTINGS, 0, 0, &payload)
}

/// `GET /` of the authority `x`.
pub fn get(stream: u32) -> Vec<u8> {
    // :method GET, :scheme http and :path / from the static table of HPACK, and a literal :authority.
    let fields = [0x82, 0x86, 0x84, 0x41, 1, b'x'];
    frame(HEADERS, END_STREAM_AND_HEADERS, stream, &fields)
}
