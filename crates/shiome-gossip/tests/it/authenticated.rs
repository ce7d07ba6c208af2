//! Datagrams of a cluster with a password.

use shiome_gossip::{
    Datagram, ExtensionPacker, Field, Join, Message, SUGGESTED_DATAGRAM_LEN, Secret, TAG_LEN,
};

use crate::support::{addr4, bytes, node};

#[test]
fn the_tag_covers_message_and_extension() {
    let secret = Secret::new("correct horse").unwrap();
    let join = Join {
        sender: node(0),
        sender_addr: addr4(),
    };
    let mut buf = [0; SUGGESTED_DATAGRAM_LEN];
    let mut len = join.encode(&mut buf).unwrap();
    let mut extension = ExtensionPacker::new(&mut buf[len..SUGGESTED_DATAGRAM_LEN - TAG_LEN]);
    extension.push(&Field::Incarnation(7)).unwrap();
    len += extension.finish();
    let sealed = secret.seal(&mut buf, len).unwrap();
    assert_eq!(sealed, len + TAG_LEN);

    let datagram = Datagram::decode(secret.open(&buf[..sealed]).unwrap()).unwrap();
    assert!(matches!(datagram.message, Message::Join(read) if read == join));
    let fields = datagram.extension().unwrap().unwrap();
    assert!(fields.iter().eq([Ok(Field::Incarnation(7))]));

    buf[len - 1] ^= 1;
    assert!(secret.open(&buf[..sealed]).is_err());
}

/// To a node without the password, the tag is what it ignores behind a message.
#[test]
fn a_node_without_the_password_reads_the_message() {
    let secret = Secret::new("correct horse").unwrap();
    let join = bytes("04 000102030405060708090a0b0c0d0e0f 04 7f000001 eb18");
    let mut buf = [0; 64];
    buf[..join.len()].copy_from_slice(&join);
    let len = secret.seal(&mut buf, join.len()).unwrap();
    let datagram = Datagram::decode(&buf[..len]).unwrap();
    assert_eq!(datagram.message.sender(), node(0));
    assert_eq!(datagram.trailing().unwrap().as_bytes().len(), TAG_LEN);
    assert!(datagram.extension().unwrap().is_none());
}
