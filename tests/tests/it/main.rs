//! Feedmill from outside, one world a file.

mod property;
