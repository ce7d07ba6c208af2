//! The ractor bridge: node server, node sessions, remote actors and process groups
