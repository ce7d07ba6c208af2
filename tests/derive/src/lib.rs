//! Support code of the derive tests.
