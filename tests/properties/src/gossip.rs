use shiome_gossip::{
    AuthError, Datagram, EncodeError, ExtensionPacker, Field, List, ListItem, MAX_DATAGRAM_LEN,
    Message, Packer, Secret, TAG_LEN,
};

use crate::memory::within;

/// Length of a probe's header, in bytes.
const PROBE_HEADER_LEN: usize = 25;

/// Any datagram: a probe is known whatever follows its header, lists end within the bytes there are, and what decodes
/// is packed again into any budget with a count that is true. Reading takes no memory. Nothing passes for a datagram of
/// those who have a password.
pub fn gossip(bytes: &[u8]) {
    passwords(bytes);
    within(0, || {
        if let Ok(datagram) = Datagram::decode(bytes) {
            listed(&datagram.message);
            if let Ok(Some(extension)) = datagram.extension() {
                extension.iter().for_each(|_| ());
            }
        }
    });
    let probe = matches!(bytes.first(), Some(1 | 3)) && bytes.len() <= MAX_DATAGRAM_LEN;
    let Ok(datagram) = Datagram::decode(bytes) else {
        assert!(!probe || bytes.len() < PROBE_HEADER_LEN);
        return;
    };
    // No longer than what it came from, but for a count that is missing.
    let most = bytes.len() + 2;
    let (encoded, items) = match encode(&datagram.message, most) {
        Ok(encoded) => encoded,
        Err(EncodeError::TooManySlotRanges) => return,
        Err(error) => panic!("{error}"),
    };
    let again = Datagram::decode_strict(&encoded).expect("just written");
    assert_eq!(again.message.sender(), datagram.message.sender());
    assert_eq!(listed(&again.message), items);
    let twice = encode(&again.message, most);
    assert_eq!(twice.as_ref(), Ok(&(encoded.clone(), items)));
    let len = encoded.len();
    for budget in [len / 2, len.saturating_sub(1)] {
        if let Ok((encoded, items)) = encode(&datagram.message, budget) {
            assert!(encoded.len() <= budget);
            assert!(
                !matches!(
                    datagram.message,
                    Message::PingReq(_) | Message::Join(_) | Message::SlotsAnnounce(_)
                ),
                "of one piece, and longer than that"
            );
            let shorter = Datagram::decode_strict(&encoded).expect("just written");
            assert_eq!(listed(&shorter.message), items);
        }
    }
    match datagram.trailing() {
        Ok(trailing) => {
            if items == listed(&datagram.message) {
                assert_eq!(trailing.as_bytes().len() + len, bytes.len());
            }
            if let Ok(Some(extension)) = trailing.extension() {
                extend(extension.iter().map_while(Result::ok), bytes.len());
            }
        }
        Err(error) => assert!(error.offset() <= bytes.len()),
    }
}

/// The message as it is packed into `budget` bytes, and how many items went in.
fn encode(message: &Message<'_>, budget: usize) -> Result<(Vec<u8>, usize), EncodeError> {
    let mut buf = vec![0; budget];
    let (len, items) = match message {
        Message::Ping(ping) => relay(
            Packer::ping(&mut buf, ping.seq, ping.sender)?,
            &ping.updates,
        ),
        Message::Ack(ack) => relay(Packer::ack(&mut buf, ack.seq, ack.sender)?, &ack.updates),
        Message::Welcome(welcome) => {
            relay(Packer::welcome(&mut buf, welcome.sender)?, &welcome.members)
        }
        Message::PingReq(request) => (request.encode(&mut buf)?, 0),
        Message::Join(join) => (join.encode(&mut buf)?, 0),
        Message::SlotsAnnounce(announce) => (announce.encode(&mut buf)?, 0),
        other => panic!("{other:?}"),
    };
    buf.truncate(len);
    Ok((buf, items))
}

fn relay<'a, T: ListItem<'static>>(
    mut packer: Packer<'_, T>,
    list: &List<'a, T::At<'a>>,
) -> (usize, usize) {
    let packed = packer.relay(list).items;
    assert_eq!(packed, packer.items());
    (packer.finish(), packed)
}

fn listed(message: &Message<'_>) -> usize {
    match message {
        Message::Ping(ping) => ping.updates.iter().filter(Result::is_ok).count(),
        Message::Ack(ack) => ack.updates.iter().filter(Result::is_ok).count(),
        Message::Welcome(welcome) => welcome.members.iter().filter(Result::is_ok).count(),
        _ => 0,
    }
}

/// Writes the fields again and reads them.
fn extend(fields: impl Iterator<Item = Field> + Clone, most: usize) {
    let mut buf = vec![0; most];
    let mut packer = ExtensionPacker::new(&mut buf);
    for field in fields.clone() {
        packer
            .push(&field)
            .expect("no longer than what it came from");
    }
    let len = packer.finish();
    // A Join in front, for an extension follows a message.
    let join = [&[4; 17][..], &[4, 127, 0, 0, 1, 0, 0], &buf[..len]].concat();
    match Datagram::decode(&join).expect("a join").extension() {
        Ok(Some(again)) => assert!(again.iter().eq(fields.map(Ok))),
        Ok(None) => assert_eq!((len, fields.count()), (0, 0)),
        Err(error) => panic!("{error}: just written"),
    }
}

fn passwords(bytes: &[u8]) {
    let secret = Secret::new("7c1de9a4f0b85a33").expect("not empty");
    let refused = match bytes.len() {
        0..TAG_LEN => AuthError::TooShort,
        TAG_LEN..=MAX_DATAGRAM_LEN => AuthError::WrongTag,
        _ => AuthError::TooLong,
    };
    assert_eq!(secret.open(bytes), Err(refused));
    let mut buf = [bytes, &[0; TAG_LEN]].concat();
    match secret.seal(&mut buf, bytes.len()) {
        Ok(len) => {
            assert_eq!(secret.open(&buf[..len]), Ok(bytes));
            let other = Secret::new("another").expect("not empty");
            assert_eq!(other.open(&buf[..len]), Err(AuthError::WrongTag));
        }
        Err(_) => assert!(bytes.len() + TAG_LEN > MAX_DATAGRAM_LEN),
    }
}
