//! Every event that was ever written still decodes, and no input harms the decoder.
#![allow(clippy::unwrap_used)]

mod decoding;
mod golden;
