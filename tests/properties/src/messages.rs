use bytes::{Buf, Bytes, BytesMut};
use prost::Message as _;
use shiome_handshake::{MAX_HELLO_LEN, MIN_ANNOUNCED_LIMIT, NONCE_LEN, read_hello};
use shiome_wire::{
    DecodeError, EncodeError, Frame, FrameDecoder, Frames, LENGTH_PREFIX_LEN, MAX_FRAME_LEN,
    MAX_LIST_ITEMS,
    auth::{NodeFlags, authentication_message},
    control::control_message,
    encode,
    meta::{NetworkMessage, network_message::Message},
    native::native_message,
    node::node_message,
};

use crate::memory::{PER_BYTE_OF_MESSAGE, within};

/// Memory for what a message has beside its lists, in bytes.
const SPARE: usize = 4 * 1024;

/// Numbers of fields that no schema has.
const UNKNOWN: [u32; 3] = [999, 1001, 0x1fff_ffff];

/// Any body of a frame: a message that survives its own encoding, whatever unknown fields it comes with, in memory that
/// its length and the limit on its lists allow; or an error. And any announcement of a native node.
pub fn messages(body: &[u8]) {
    let frame = Frame::from(Bytes::copy_from_slice(body));
    let memory = PER_BYTE_OF_MESSAGE * body.len() + SPARE;
    match within(memory, || frame.decode()) {
        Ok(message) => {
            assert!(items(&message) <= MAX_LIST_ITEMS);
            let generated = NetworkMessage::decode(body);
            assert_eq!(generated.as_ref(), Ok(&message), "also by hand");
            survives_its_encoding(&message);
            unknown_fields_change_nothing(body, &message);
        }
        Err(DecodeError::TooManyItems { items, limit }) => {
            assert!(items > limit && limit == MAX_LIST_ITEMS);
        }
        Err(DecodeError::Malformed(_)) => assert!(NetworkMessage::decode(body).is_err()),
        Err(other) => panic!("{other}"),
    }
    announcement(body);
}

fn survives_its_encoding(message: &NetworkMessage) {
    let mut encoded = BytesMut::new();
    encode(message, u64::MAX, &mut encoded).expect("there is no limit");
    let mut decoder = FrameDecoder::new(u64::MAX);
    decoder.extend(&encoded);
    let frame = decoder.next_frame().expect("within the limit");
    let frame = frame.expect("it is all there");
    assert_eq!(decoder.finish(), Ok(()));
    let again = frame.decode().expect("just encoded");
    assert_eq!(&again, message);
    decoder.extend(&encoded);
    if let Some(in_place) = decoder.next_node_message() {
        assert_eq!(&NetworkMessage::from(in_place), message);
    }
    let mut frames = Frames::new();
    match again.clone().into_node() {
        Some(node_message::Msg::Cast(cast)) => frames.push(cast),
        Some(node_message::Msg::Call(call)) => frames.push(call),
        Some(node_message::Msg::Reply(reply)) => frames.push(reply),
        None => frames.push(again.clone()),
    }
    assert_eq!(frames.copy_to_bytes(frames.len()), encoded);

    let len = (encoded.len() - LENGTH_PREFIX_LEN) as u64;
    let mut twice = BytesMut::from(&b"before"[..]);
    encode(&again, len, &mut twice).expect("as long as the limit");
    assert_eq!(twice[6..], encoded);
    if len > 0 {
        let limit = len - 1;
        let refused = encode(&again, limit, &mut twice);
        assert_eq!(refused, Err(EncodeError::TooLong { len, limit }));
        assert_eq!(twice[6..], encoded, "the buffer is unchanged");
    }
}

/// At each of the levels that a message nests in, at its end.
fn unknown_fields_change_nothing(body: &[u8], message: &NetworkMessage) {
    if body.len() as u64 > MAX_FRAME_LEN / 2 {
        return;
    }
    let mut unknown = Vec::new();
    for field in UNKNOWN {
        // A number, eight bytes, some bytes, an empty group, four bytes.
        key(field, 0, &mut unknown);
        unknown.extend([0xff, 0x01]);
        key(field, 1, &mut unknown);
        unknown.extend([7; 8]);
        wrap(field, b"some bytes", &mut unknown);
        key(field, 3, &mut unknown);
        key(field, 4, &mut unknown);
        key(field, 5, &mut unknown);
        unknown.extend([7; 4]);
    }
    let same = |body: Vec<u8>| {
        let decoded = Frame::from(Bytes::from(body)).decode();
        assert_eq!(decoded.as_ref(), Ok(message));
    };
    same([body, &unknown].concat());
    let Some((schema, member)) = place(message) else {
        return;
    };
    let mut nested = Vec::new();
    wrap(schema, &unknown, &mut nested);
    same([body, &nested].concat());
    if let Some(member) = member {
        let (mut inner, mut nested) = (Vec::new(), Vec::new());
        wrap(member, &unknown, &mut inner);
        wrap(schema, &inner, &mut nested);
        // What is said twice is merged into one message.
        same([body, &nested].concat());
    }
}

/// Number of the schema that a message is of, and of the message there.
fn place(message: &NetworkMessage) -> Option<(u32, Option<u32>)> {
    Some(match message.message.as_ref()? {
        Message::Auth(auth) => (1, auth.msg.as_ref().map(of_auth)),
        Message::Node(node) => (2, node.msg.as_ref().map(of_node)),
        Message::Control(control) => (3, control.msg.as_ref().map(of_control)),
        Message::Native(native) => (1000, native.msg.as_ref().map(of_native)),
    })
}

fn key(field: u32, kind: u32, buf: &mut Vec<u8>) {
    varint(u64::from(field) << 3 | u64::from(kind), buf);
}

fn wrap(field: u32, content: &[u8], buf: &mut Vec<u8>) {
    key(field, 2, buf);
    varint(content.len() as u64, buf);
    buf.extend(content);
}

fn varint(mut value: u64, buf: &mut Vec<u8>) {
    while value >= 0x80 {
        buf.push(value as u8 | 0x80);
        value >>= 7;
    }
    buf.push(value as u8);
}

fn items(message: &NetworkMessage) -> usize {
    use control_message::Msg;
    match message.clone().into_control() {
        Some(Msg::Spawn(spawn)) => spawn.actors.len(),
        Some(Msg::Terminate(terminate)) => terminate.ids.len(),
        Some(Msg::PgJoin(join)) => join.actors.len(),
        Some(Msg::PgLeave(leave)) => leave.actors.len(),
        Some(Msg::NodeSessions(list)) => list.sessions.len(),
        _ => 0,
    }
}

fn of_auth(msg: &authentication_message::Msg) -> u32 {
    use authentication_message::Msg;
    match msg {
        Msg::Name(_) => 1,
        Msg::ServerStatus(_) => 2,
        Msg::ClientStatus(_) => 3,
        Msg::ServerChallenge(_) => 4,
        Msg::ClientChallenge(_) => 5,
        Msg::ServerAck(_) => 6,
    }
}

fn of_node(msg: &node_message::Msg) -> u32 {
    use node_message::Msg;
    match msg {
        Msg::Cast(_) => 1,
        Msg::Call(_) => 2,
        Msg::Reply(_) => 3,
    }
}

fn of_control(msg: &control_message::Msg) -> u32 {
    use control_message::Msg;
    match msg {
        Msg::Spawn(_) => 1,
        Msg::Terminate(_) => 2,
        Msg::Ping(_) => 3,
        Msg::Pong(_) => 4,
        Msg::PgJoin(_) => 5,
        Msg::PgLeave(_) => 6,
        Msg::EnumerateNodeSessions(_) => 7,
        Msg::NodeSessions(_) => 8,
        Msg::Ready(_) => 9,
    }
}

fn of_native(msg: &native_message::Msg) -> u32 {
    use native_message::Msg;
    match msg {
        Msg::Proof(_) => 1,
        Msg::Fragment(_) => 2,
        Msg::Credit(_) => 3,
        Msg::CallError(_) => 4,
        Msg::Stop(_) => 5,
        Msg::Monitor(_) => 6,
        Msg::Demonitor(_) => 7,
        Msg::Refused(_) => 8,
        Msg::Exit(_) => 9,
        Msg::Goodbye(_) => 10,
        Msg::ChannelOpen(_) => 11,
        Msg::ChannelData(_) => 12,
        Msg::ChannelCredit(_) => 13,
        Msg::ChannelClose(_) => 14,
    }
}

fn announcement(hello: &[u8]) {
    let flags = NodeFlags {
        version: 1,
        hello: Bytes::copy_from_slice(hello),
    };
    let Some(read) = read_hello(Some(&flags)) else {
        return;
    };
    assert!((1..=MAX_HELLO_LEN).contains(&hello.len()));
    assert!(1 <= read.oldest_version && read.oldest_version <= read.version);
    assert!(read.nonce.len() == NONCE_LEN && read.incarnation != 0);
    let limits = [
        MIN_ANNOUNCED_LIMIT,
        read.max_frame_len,
        read.max_message_len,
        read.max_reassembly_len,
    ];
    assert!(limits.is_sorted() && read.window >= MIN_ANNOUNCED_LIMIT);
    let again = NodeFlags {
        version: 1,
        hello: read.encode_to_vec().into(),
    };
    assert_eq!(read_hello(Some(&again)), Some(read));
}

#[cfg(test)]
mod tests {
    use shiome_wire::{
        auth::NameMessage,
        control::{Actor, NodeSessions, Spawn, Terminate},
    };

    use super::*;

    #[test]
    fn lists_of_the_shortest_items_hold() {
        // One more than a power of two: a list that has just doubled.
        for items in [0, 1, 1025] {
            let lists: [NetworkMessage; 3] = [
                NodeSessions {
                    sessions: vec![NameMessage::default(); items],
                }
                .into(),
                Spawn {
                    actors: vec![Actor::default(); items],
                }
                .into(),
                Terminate {
                    ids: vec![0; items],
                }
                .into(),
            ];
            for list in lists {
                messages(&list.encode_to_vec());
            }
        }
    }
}
