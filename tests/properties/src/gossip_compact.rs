use shiome_gossip::{
    Datagram as Classic, EncodeError, MAX_DATAGRAM_LEN,
    compact::{Datagram, Header, Message, Packer, Sync, Update, Updates, is_compact},
};

use crate::memory::within;

/// Length of a probe without updates, in bytes.
const PROBE_LEN: usize = 19;

/// Any compact datagram: a probe is known whatever follows its header, updates end within the bytes there are, and
/// what decodes is written again in no more bytes, saying the same. Reading takes no memory.
pub fn gossip_compact(bytes: &[u8]) {
    within(0, || {
        if let Ok(datagram) = Datagram::decode(bytes) {
            updates(&datagram.message)
                .into_iter()
                .flatten()
                .for_each(|_| ());
        }
    });
    if is_compact(bytes) {
        assert!(Classic::decode(bytes).is_err());
    }
    let probe = matches!(bytes.first(), Some(0x40 | 0x41)) && bytes.len() <= MAX_DATAGRAM_LEN;
    let Ok(datagram) = Datagram::decode(bytes) else {
        assert!(!probe || bytes.len() < PROBE_LEN);
        return;
    };
    assert!(is_compact(bytes));
    let mut listed = updates(&datagram.message).into_iter().flatten();
    if let Some(error) = listed.find_map(Result::err) {
        assert!(error.offset() <= bytes.len());
        assert!(listed.next().is_none(), "nothing comes after an error");
    }
    // No longer than what it came from: numbers of as few bytes as they need, and nothing that was skipped.
    let encoded = encode(&datagram, bytes.len()).expect("room for it");
    let again = Datagram::decode(&encoded).expect("just written");
    assert!(same(&again, &datagram));
    let twice = encode(&again, encoded.len()).expect("room for it");
    assert_eq!(twice, encoded);
    let shorter = encode(&again, encoded.len() - 1);
    assert_eq!(shorter, Err(EncodeError::NoRoom));
}

/// The updates that end a message, if it has any.
fn updates<'a>(message: &Message<'a>) -> Option<Updates<'a>> {
    match message {
        Message::Ping(probe) | Message::Ack(probe) => Some(probe.updates),
        Message::Gossip(updates) | Message::Records(updates) => Some(*updates),
        _ => None,
    }
}

/// Those that decode.
fn news<'a>(message: &Message<'a>) -> impl Iterator<Item = Update<'a>> {
    let updates = updates(message).into_iter().flatten();
    updates.map_while(Result::ok)
}

fn encode(datagram: &Datagram<'_>, budget: usize) -> Result<Vec<u8>, EncodeError> {
    let mut buf = vec![0; budget];
    let len = write(&datagram.header, &datagram.message, &mut buf)?;
    buf.truncate(len);
    Ok(buf)
}

fn write(header: &Header, message: &Message<'_>, buf: &mut [u8]) -> Result<usize, EncodeError> {
    let mut packer = match message {
        Message::Ping(probe) => Packer::ping(buf, header, probe.seq, probe.digest)?,
        Message::Ack(probe) => Packer::ack(buf, header, probe.seq, probe.digest)?,
        Message::Gossip(_) => Packer::gossip(buf, header)?,
        Message::Records(_) => Packer::records(buf, header)?,
        Message::PingReq(request) => return request.encode(header, buf),
        Message::Nack(nack) => return nack.encode(header, buf),
        Message::Sync(sync) => {
            return Sync::encode(header, buf, sync.is_answer(), sync.bits(), sync.buckets());
        }
        other => panic!("{other:?}"),
    };
    for update in news(message) {
        let (items, room) = (packer.items(), packer.room());
        match packer.push(&update) {
            Ok(()) => assert_eq!(packer.room() + update.encoded_len(), room),
            Err(error) => {
                assert_eq!((packer.items(), packer.room()), (items, room));
                return Err(error);
            }
        }
    }
    Ok(packer.finish())
}

fn same(one: &Datagram<'_>, other: &Datagram<'_>) -> bool {
    let alike = match (&one.message, &other.message) {
        (Message::Ping(one), Message::Ping(other)) | (Message::Ack(one), Message::Ack(other)) => {
            (one.seq, one.digest) == (other.seq, other.digest)
        }
        (Message::PingReq(one), Message::PingReq(other)) => one == other,
        (Message::Nack(one), Message::Nack(other)) => one == other,
        (Message::Sync(one), Message::Sync(other)) => one == other,
        (Message::Gossip(_), Message::Gossip(_)) | (Message::Records(_), Message::Records(_)) => {
            true
        }
        _ => false,
    };
    alike && one.header == other.header && news(&one.message).eq(news(&other.message))
}
