//! Bytes that were ever written are read for ever, and no bytes do harm.
#![allow(clippy::unwrap_used)]

mod decoding;
mod golden;
