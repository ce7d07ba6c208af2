//! Sans-io cookie handshake and duplicate-connection election of a ractor cluster
