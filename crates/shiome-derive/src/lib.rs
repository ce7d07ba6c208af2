//! Derive macros for messages that cross a ractor cluster
