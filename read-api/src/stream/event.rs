//! Events as they are sent (WHATWG HTML, 9.2 Server-sent events).

use bytes::Bytes;

/// `data` is JSON, which has no line feeds outside its strings, and escapes those in them.
pub fn event(name: &str, id: &str, data: &str) -> Bytes {
    format!("event: {name}\nid: {id}\ndata: {data}\n\n").into()
}

/// How long a client that lost the stream should wait, in milliseconds.
pub fn retry(millis: u64) -> Bytes {
    format!("retry: {millis}\n\n").into()
}

/// No event, but proof of life. A client keeps the id, so that an idle stream can be resumed as well.
pub fn heartbeat(id: &str) -> Bytes {
    format!(": still here\nid: {id}\n\n").into()
}
