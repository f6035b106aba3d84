//! What the console answers to whom.
