//! Links of a ractor cluster: tcp, memory and tls byte streams; drives handshake and session
