//! The lines of a file.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
};

use super::report::ImportError;

/// A longer line is refused, so that it is not read into memory. In bytes.
const MAX_LINE: u64 = 256 * 1024;

/// The byte order mark that some programs write at the start of a file in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The lines of a file with their numbers, counted from 1. Empty lines and a byte order mark at the start are skipped.
pub struct Lines<R> {
    reader: R,
    number: u64,
}

impl<'f> Lines<BufReader<&'f File>> {
    pub fn of(file: &'f File) -> Self {
        Self::new(BufReader::with_capacity(256 * 1024, file))
    }
}

impl<R> Lines<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<(u64, Vec<u8>), ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut line = Vec::new();
            self.number += 1;
            match self
                .reader
                .by_ref()
                .take(MAX_LINE + 1)
                .read_until(b'\n', &mut line)
            {
                Err(error) => return Some(Err(error.into())),
                Ok(0) => return None,
                Ok(read) if read as u64 > MAX_LINE => {
                    let reason = format!("is longer than {MAX_LINE} bytes");
                    return Some(Err(ImportError::Line {
                        line: self.number,
                        reason,
                    }));
                }
                Ok(_) => {
                    if self.number == 1 && line.starts_with(BYTE_ORDER_MARK) {
                        line.drain(..BYTE_ORDER_MARK.len());
                    }
                    if !line.trim_ascii().is_empty() {
                        return Some(Ok((self.number, line)));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(u64, String)> {
        let line = |line: Result<(u64, Vec<u8>), ImportError>| {
            let (number, text) = line.unwrap();
            (number, String::from_utf8(text).unwrap())
        };
        Lines::new(text.as_bytes()).map(line).collect()
    }

    #[test]
    fn a_byte_order_mark_is_skipped_at_the_start_only() {
        assert_eq!(lines("\u{feff}{}"), [(1, "{}".to_owned())]);
        assert_eq!(lines("\u{feff}\r\n{}"), [(2, "{}".to_owned())]);
        let later = "\u{feff}{}".to_owned();
        assert_eq!(lines("\n\u{feff}{}"), [(2, later.clone())]);
        assert_eq!(lines("\u{feff}\u{feff}{}"), [(1, later)]);
    }

    #[test]
    fn empty_lines_are_counted_and_skipped() {
        let expected = [(2, "a\n".to_owned()), (4, "b".to_owned())];
        assert_eq!(lines("\na\n \nb"), expected);
    }
}
