//! Sans-io machine of one authenticated link of a ractor cluster
