//! Datagrams that are almost right: every recorded one cut off at every byte, and with every bit flipped.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

use std::{fs, path::Path};

use serde_json::Value;
use shiome_gossip::{Datagram, DecodeErrorKind, Message};

/// All datagrams in the vectors.
fn datagrams() -> Vec<Vec<u8>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/gossip.json");
    let entries: Vec<Value> = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let hex = entries.iter().map(|entry| entry["hex"].as_str().unwrap());
    let datagrams: Vec<_> = hex.map(|hex| hex::decode(hex).unwrap()).collect();
    assert!(datagrams.len() >= 10, "{}", datagrams.len());
    datagrams
}

/// Reads all that can be read, and says whether that was all there is.
fn read_all(bytes: &[u8]) -> bool {
    let Ok(datagram) = Datagram::decode(bytes) else {
        return false;
    };
    let decoded = match &datagram.message {
        Message::Ping(ping) => ping.updates.iter().all(|update| update.is_ok()),
        Message::Ack(ack) => ack.updates.iter().all(|update| update.is_ok()),
        Message::Welcome(welcome) => welcome.members.iter().all(|member| member.is_ok()),
        _ => true,
    };
    assert_eq!(datagram.trailing().is_ok(), decoded);
    decoded
}

#[test]
fn a_datagram_cut_off_anywhere_is_refused_and_a_probe_still_known() {
    for datagram in datagrams() {
        assert!(read_all(&datagram));
        for len in 0..datagram.len() {
            let cut = &datagram[..len];
            assert!(!read_all(cut), "{len} bytes of {datagram:x?}");
            let error = Datagram::decode_strict(cut).unwrap_err();
            assert!(
                matches!(
                    error.kind(),
                    DecodeErrorKind::Truncated | DecodeErrorKind::CountTooLarge(_)
                ) && error.offset() <= len,
                "{error}"
            );
            if matches!(datagram[0], 1 | 3) && len >= 25 {
                let sender = Datagram::decode(cut).unwrap().message.sender();
                assert_eq!(sender.as_bytes()[..], datagram[9..25]);
            }
        }
    }
}

#[test]
fn a_datagram_with_any_bit_flipped_decodes_or_is_refused() {
    let (mut decoded, mut refused) = (0, 0);
    for mut datagram in datagrams() {
        for bit in 0..datagram.len() * 8 {
            datagram[bit / 8] ^= 1 << (bit % 8);
            match read_all(&datagram) {
                true => decoded += 1,
                false => refused += 1,
            }
            datagram[bit / 8] ^= 1 << (bit % 8);
        }
    }
    // Most bits are of ids and numbers, which may be anything; tags, counts and families may not.
    assert!(decoded > refused && refused > 100, "{decoded}, {refused}");
}
