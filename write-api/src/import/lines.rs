//! The lines of a file.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
};

use super::report::ImportError;

/// A longer line is refused, so that it is not read into memory. In bytes.
const MAX_LINE: u64 = 256 * 1024;

/// The lines of a file with their numbers, counted from 1. Empty lines are skipped.
pub struct Lines<R> {
    reader: R,
    number: u64,
}

impl<'f> Lines<BufReader<&'f File>> {
    pub fn of(file: &'f File) -> Self {
        Self {
            reader: BufReader::with_capacity(256 * 1024, file),
            number: 0,
        }
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
                Ok(_) if line.trim_ascii().is_empty() => {}
                Ok(_) => return Some(Ok((self.number, line))),
            }
        }
    }
}
