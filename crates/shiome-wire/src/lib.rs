//! Protobuf messages and length-prefixed framing of a ractor cluster
