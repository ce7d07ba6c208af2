//! The protobuf messages of `proto/`, with what their fields mean. A test compares them with these files.

/// A message of the schema.
#[derive(Debug)]
pub(super) struct Schema {
    /// With its package.
    pub(super) name: &'static str,
    pub(super) fields: &'static [Entry],
}

/// A field of a message.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) meaning: &'static str,
}

/// What a field holds.
#[derive(Debug)]
pub(super) enum Kind {
    Uint64,
    Uint32,
    Int64,
    Int32,
    Bool,
    Text,
    Bytes,
    /// Any number of `uint64`, in one field or in several.
    Uint64s,
    /// Numbers with names.
    Enum(&'static [&'static str]),
    /// A `uint64` of which each bit has a name.
    Bits(&'static [&'static str]),
    Message(&'static Schema),
    /// A message in a field of bytes.
    Encoded(&'static Schema),
}

impl Kind {
    /// As the schema spells it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Uint64 | Self::Uint64s | Self::Bits(_) => "uint64",
            Self::Uint32 => "uint32",
            Self::Int64 => "int64",
            Self::Int32 => "int32",
            Self::Bool => "bool",
            Self::Text => "string",
            Self::Bytes | Self::Encoded(_) => "bytes",
            Self::Enum(_) => "enum",
            Self::Message(schema) => schema.name,
        }
    }
}

impl Schema {
    pub(super) fn field(&self, number: u64) -> Option<&'static Entry> {
        self.fields.iter().find(|field| field.number == number)
    }
}

/// Number from which the fields are those of shiome, which nodes of `ractor_cluster` skip.
pub(super) const FIRST_NATIVE: u64 = 1000;

macro_rules! schema {
    ($($(#[$doc:meta])* $vis:vis $id:ident = $name:literal { $($number:literal $field:ident: $kind:expr, $meaning:literal;)* })*) => {$(
        $(#[$doc])*
        $vis static $id: Schema = Schema {
            name: $name,
            fields: &[$(Entry { number: $number, name: stringify!($field), kind: $kind, meaning: $meaning }),*],
        };
    )*};
}

use Kind::{
    Bits, Bool, Bytes, Encoded, Enum, Int32, Int64, Message, Text, Uint32, Uint64, Uint64s,
};

schema! {
    /// What a frame carries.
    pub(super) NETWORK_MESSAGE = "meta.NetworkMessage" {
        1 auth: Message(&AUTHENTICATION), "handshake";
        2 node: Message(&NODE), "between actors";
        3 control: Message(&CONTROL), "what nodes tell about themselves";
        1000 native: Message(&NATIVE), "between nodes of shiome";
    }

    AUTHENTICATION = "auth.AuthenticationMessage" {
        1 name: Message(&NAME), "the initiator introduces itself";
        2 server_status: Message(&SERVER_STATUS), "the acceptor's verdict on the name";
        3 client_status: Message(&CLIENT_STATUS), "the initiator's answer to ALIVE";
        4 server_challenge: Message(&CHALLENGE), "the acceptor introduces itself and asks for a proof of the cookie";
        5 client_challenge: Message(&CHALLENGE_REPLY), "the initiator proves the cookie and asks for the same";
        6 server_ack: Message(&CHALLENGE_ACK), "the acceptor proves the cookie";
    }
    NODE_FLAGS = "auth.NodeFlags" {
        1 version: Uint32, "of the base protocol, always 1";
        1000 hello: Encoded(&HELLO), "what the node speaks beyond ractor_cluster";
    }
    NAME = "auth.NameMessage" {
        1 name: Text, "full name of the node";
        2 flags: Message(&NODE_FLAGS), "";
        3 connection_string: Text, "address that other nodes dial";
        4 connection_id: Uint64, "nonce of the initiator for this connection";
    }
    SERVER_STATUS = "auth.ServerStatus" {
        1 status: Enum(&["OK", "OK_SIMULTANEOUS", "NOT_OK", "NOT_ALLOWED", "ALIVE"]), "";
    }
    CLIENT_STATUS = "auth.ClientStatus" {
        1 status: Bool, "whether to go on with this connection";
    }
    CHALLENGE = "auth.Challenge" {
        1 name: Text, "full name of the node";
        2 flags: Message(&NODE_FLAGS), "";
        3 challenge: Uint32, "random; the answer is computed from it and the cookie";
        4 connection_string: Text, "address that other nodes dial";
    }
    CHALLENGE_REPLY = "auth.ChallengeReply" {
        1 challenge: Uint32, "the initiator's own, random";
        2 digest: Bytes, "answer to the acceptor's challenge";
    }
    CHALLENGE_ACK = "auth.ChallengeAck" {
        1 digest: Bytes, "answer to the initiator's challenge";
    }

    CONTROL = "control.ControlMessage" {
        1 spawn: Message(&SPAWN), "these actors of the sender may be addressed from now on";
        2 terminate: Message(&TERMINATE), "these actors of the sender are gone";
        3 ping: Message(&PING), "probe of the link";
        4 pong: Message(&PONG), "answer to a ping";
        5 pg_join: Message(&PG_JOIN), "actors of the sender joined a process group";
        6 pg_leave: Message(&PG_LEAVE), "actors of the sender left a process group";
        7 enumerate_node_sessions: Message(&NAME), "who are your peers? With the asker's own name";
        8 node_sessions: Message(&NODE_SESSIONS), "peers of the sender";
        9 ready: Message(&READY), "the initial state has been sent";
    }
    ACTOR = "control.Actor" {
        1 pid: Uint64, "process id on the sender's node";
        2 name: Text, "name it is registered under there";
    }
    PING = "control.Ping" {
        1 timestamp: Message(&TIMESTAMP), "time since the sender's session began";
    }
    PONG = "control.Pong" {
        1 timestamp: Message(&TIMESTAMP), "the ping's";
    }
    TIMESTAMP = "google.protobuf.Timestamp" {
        1 seconds: Int64, "";
        2 nanos: Int32, "";
    }
    SPAWN = "control.Spawn" {
        1 actors: Message(&ACTOR), "";
    }
    TERMINATE = "control.Terminate" {
        1 ids: Uint64s, "process ids on the sender's node";
    }
    PG_JOIN = "control.PgJoin" {
        1 group: Text, "process group";
        2 actors: Message(&ACTOR), "";
        3 scope: Text, "scope of the group";
    }
    PG_LEAVE = "control.PgLeave" {
        1 group: Text, "process group";
        2 actors: Message(&ACTOR), "";
        3 scope: Text, "scope of the group";
    }
    NODE_SESSIONS = "control.NodeSessions" {
        1 sessions: Message(&NAME), "";
    }
    READY = "control.Ready" {}

    NODE = "node.NodeMessage" {
        1 cast: Message(&CAST), "one-way message";
        2 call: Message(&CALL), "message that expects a reply";
        3 reply: Message(&CALL_REPLY), "the reply to a call";
    }
    CAST = "node.Cast" {
        1 to: Uint64, "process id on the receiving node";
        2 what: Bytes, "encoded arguments";
        3 variant: Text, "which message of the actor this is";
        6 metadata: Bytes, "out-of-band data";
    }
    CALL = "node.Call" {
        1 to: Uint64, "process id on the receiving node";
        2 what: Bytes, "encoded arguments";
        3 tag: Uint64, "number of the call";
        4 timeout_ms: Uint64, "how long the caller waits, in milliseconds";
        5 variant: Text, "which message of the actor this is";
        6 metadata: Bytes, "out-of-band data";
    }
    CALL_REPLY = "node.CallReply" {
        1 to: Uint64, "the callee's process id, from the call";
        2 tag: Uint64, "number of the call";
        3 what: Bytes, "encoded reply";
    }

    NATIVE = "native.NativeMessage" {
        1 proof: Message(&PROOF), "the sender knows the cookie and saw the same handshake";
        2 fragment: Message(&FRAGMENT), "a piece of a long message";
        3 credit: Message(&CREDIT), "the receiver may send so much more";
        4 call_error: Message(&CALL_ERROR), "a call that will not be answered";
        5 stop: Message(&STOP), "asks that an actor stop";
        6 monitor: Message(&MONITOR), "asks to be told when an actor ends";
        7 demonitor: Message(&DEMONITOR), "takes a monitor back";
        8 refused: Message(&REFUSED), "a stop or monitor that is not allowed";
        9 exit: Message(&EXIT), "a monitored actor has ended";
        10 goodbye: Message(&GOODBYE), "the sender closes the link";
        11 channel_open: Message(&CHANNEL_OPEN), "the sender takes messages on a channel";
        12 channel_data: Message(&CHANNEL_DATA), "a message on a channel, or a piece of one";
        13 channel_credit: Message(&CHANNEL_CREDIT), "the receiver may send so much more on a channel";
        14 channel_close: Message(&CHANNEL_CLOSE), "the sender takes nothing more on a channel";
    }
    /// What a node speaks, in [`NODE_FLAGS`].
    pub(super) HELLO = "native.Hello" {
        1 version: Uint32, "highest version of the native protocol";
        2 oldest_version: Uint32, "lowest version of the native protocol";
        3 capabilities: Bits(&["call errors", "fragments", "credit", "stop", "monitors", "goodbye", "channels", "trace context"]), "what the node can take";
        4 incarnation: Uint64, "tells runs of one node apart";
        5 nonce: Bytes, "random, for this connection";
        6 max_frame_len: Uint64, "longest frame body that the node takes, in bytes";
        7 max_message_len: Uint64, "longest message put together from fragments, in bytes";
        8 max_reassembly_len: Uint64, "bytes of unfinished messages held at a time";
        9 window: Uint64, "bytes of casts and fragments taken before more is granted";
    }
    PROOF = "native.Proof" {
        1 mac: Bytes, "HMAC-SHA256 of the handshake";
    }
    FRAGMENT = "native.Fragment" {
        1 id: Uint64, "number of the message";
        2 offset: Uint64, "bytes of the message before this piece";
        3 total: Uint64, "length of the message, in its first piece";
        4 data: Bytes, "a piece of an encoded meta.NetworkMessage";
    }
    CREDIT = "native.Credit" {
        1 bytes: Uint64, "of casts and fragments";
    }
    CALL_ERROR = "native.CallError" {
        1 to: Uint64, "the callee's process id, from the call";
        2 tag: Uint64, "number of the call";
        3 code: Enum(&["UNSPECIFIED", "UNKNOWN_ACTOR", "UNDECODABLE", "NO_REPLY", "OVERLOADED", "NOT_ALLOWED", "TOO_LONG"]), "";
    }
    STOP = "native.Stop" {
        1 pid: Uint64, "process id on the receiving node";
        2 reason: Text, "";
        3 kill: Bool, "at once, whatever it is doing";
    }
    MONITOR = "native.Monitor" {
        1 pid: Uint64, "process id on the receiving node";
    }
    DEMONITOR = "native.Demonitor" {
        1 pid: Uint64, "process id on the receiving node";
    }
    REFUSED = "native.Refused" {
        1 pid: Uint64, "process id on the sender's node";
        2 verb: Enum(&["UNSPECIFIED", "STOP", "MONITOR"]), "";
    }
    EXIT = "native.Exit" {
        1 pid: Uint64, "process id on the sender's node";
        2 kind: Enum(&["UNSPECIFIED", "STOPPED", "FAILED", "KILLED", "UNKNOWN_ACTOR"]), "";
        3 reason: Text, "";
    }
    GOODBYE = "native.Goodbye" {
        1 reason: Enum(&["UNSPECIFIED", "SHUTDOWN", "CLOSED", "DUPLICATE", "PROTOCOL", "UNRESPONSIVE"]), "";
        2 detail: Text, "in words, for logs";
    }
    CHANNEL_OPEN = "native.ChannelOpen" {
        1 number: Uint64, "of the sender's end of the channel";
        2 name: Text, "what the channel is for";
        3 max_message_len: Uint64, "longest message that the sender takes, in bytes";
        4 window: Uint64, "bytes taken on this channel before more is granted";
    }
    CHANNEL_DATA = "native.ChannelData" {
        1 number: Uint64, "of the receiver's end of the channel";
        2 data: Bytes, "";
        3 more: Bool, "the message goes on with the next piece";
    }
    CHANNEL_CREDIT = "native.ChannelCredit" {
        1 number: Uint64, "of the sender's end of the channel";
        2 bytes: Uint64, "";
    }
    CHANNEL_CLOSE = "native.ChannelClose" {
        1 number: Uint64, "of the sender's end of the channel";
    }
}

#[cfg(test)]
mod tests;
