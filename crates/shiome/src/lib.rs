//! Joins ractor actor systems into one cluster
