//! The cookie handshake, see [`shiome_handshake`].
