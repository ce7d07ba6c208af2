//! Compact datagrams.

mod broken;
mod packer;
mod properties;
mod support;
mod vectors;
