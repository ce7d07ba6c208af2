//! The frames: `meta.NetworkMessage` behind a length, as in `proto/`.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::{Message, Oneof};

/// Bytes that are written and read at a time.
pub const BATCH_LEN: usize = 64 * 1024;

const PREFIX_LEN: usize = size_of::<u64>();

#[derive(Clone, PartialEq, Message)]
pub struct NetworkMessage {
    #[prost(oneof = "network_message::Kind", tags = "2")]
    pub message: Option<network_message::Kind>,
}

pub mod network_message {
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Kind {
        #[prost(message, tag = "2")]
        Node(super::NodeMessage),
    }
}

#[derive(Clone, PartialEq, Message)]
pub struct NodeMessage {
    #[prost(oneof = "Msg", tags = "1, 2, 3")]
    pub msg: Option<Msg>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Msg {
    #[prost(message, tag = "1")]
    Cast(Cast),
    #[prost(message, tag = "2")]
    Call(Call),
    #[prost(message, tag = "3")]
    Reply(CallReply),
}

#[derive(Clone, PartialEq, Message)]
pub struct Cast {
    #[prost(uint64, tag = "1")]
    pub to: u64,
    #[prost(bytes = "bytes", tag = "2")]
    pub what: Bytes,
    #[prost(string, tag = "3")]
    pub variant: String,
    #[prost(bytes = "bytes", optional, tag = "6")]
    pub metadata: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Call {
    #[prost(uint64, tag = "1")]
    pub to: u64,
    #[prost(bytes = "bytes", tag = "2")]
    pub what: Bytes,
    #[prost(uint64, tag = "3")]
    pub tag: u64,
    #[prost(uint64, optional, tag = "4")]
    pub timeout_ms: Option<u64>,
    #[prost(string, tag = "5")]
    pub variant: String,
    #[prost(bytes = "bytes", optional, tag = "6")]
    pub metadata: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CallReply {
    #[prost(uint64, tag = "1")]
    pub to: u64,
    #[prost(uint64, tag = "2")]
    pub tag: u64,
    #[prost(bytes = "bytes", tag = "3")]
    pub what: Bytes,
}

/// Appends a frame.
pub fn encode(msg: Msg, buf: &mut BytesMut) {
    let message = NetworkMessage {
        message: Some(network_message::Kind::Node(NodeMessage { msg: Some(msg) })),
    };
    let len = message.encoded_len();
    buf.reserve(PREFIX_LEN + len);
    buf.put_u64(len as u64);
    message.encode_raw(buf);
}

/// Takes the next frame out, if all of it is there.
pub fn decode(buf: &mut BytesMut) -> Result<Option<Msg>, String> {
    let Some(prefix) = buf.first_chunk::<PREFIX_LEN>() else {
        return Ok(None);
    };
    let len = usize::try_from(u64::from_be_bytes(*prefix)).map_err(|e| e.to_string())?;
    if buf.len() - PREFIX_LEN < len {
        return Ok(None);
    }
    buf.advance(PREFIX_LEN);
    let body = buf.split_to(len).freeze();
    let message = NetworkMessage::decode(body).map_err(|e| e.to_string())?;
    let Some(network_message::Kind::Node(NodeMessage { msg: Some(msg) })) = message.message else {
        return Err("not a message between actors".to_owned());
    };
    Ok(Some(msg))
}

/// The payload in arguments, as an actor gets it: in memory of its own.
pub fn payload(what: &Bytes) -> Result<Vec<u8>, String> {
    let payload = what.get(PREFIX_LEN..).ok_or("not a payload")?;
    Ok(payload.to_vec())
}

/// Arguments as the derive macro writes them: a length and the bytes.
pub fn args(payload: &[u8]) -> Bytes {
    let mut args = Vec::with_capacity(PREFIX_LEN + payload.len());
    args.put_u64(payload.len() as u64);
    args.extend_from_slice(payload);
    args.into()
}
