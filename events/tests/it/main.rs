//! Bytes that were ever written are read for ever, and no bytes do harm.

mod decoding;
mod golden;
