use std::path::Path;

use proptest::prelude::*;
use shiome_gossip::{Datagram, DecodeError, compact};

use super::*;

/// Datagrams of `tests/vectors`, and those of `docs/GOSSIP.md`.
fn recorded() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join("tests/vectors/gossip.json")).unwrap();
    let vectors: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let of_hex = |hex: &str| hex::decode(hex).unwrap();
    let mut datagrams: Vec<_> = vectors
        .iter()
        .filter_map(|vector| vector["hex"].as_str())
        .map(of_hex)
        .collect();
    let text = std::fs::read_to_string(root.join("docs/GOSSIP.md")).unwrap();
    let (_, exchange) = text.split_once("```gossip\n").unwrap();
    let (exchange, _) = exchange.split_once("```").unwrap();
    for message in exchange.split_inclusive('\n') {
        match message.strip_prefix("   ") {
            None => datagrams.push(Vec::new()),
            Some(hex) => {
                let hex: String = hex.split_whitespace().collect();
                datagrams.last_mut().unwrap().extend(of_hex(&hex));
            }
        }
    }
    assert!(datagrams.len() > 20, "{}", datagrams.len());
    datagrams
}

fn format_of(datagram: &[u8]) -> Format {
    if compact::is_compact(datagram) {
        Format::GossipCompact
    } else {
        Format::Gossip
    }
}

/// What the codec finds wrong first, with all that it decodes only when asked to.
fn codec(datagram: &[u8]) -> Result<(), DecodeError> {
    if compact::is_compact(datagram) {
        let updates = match compact::Datagram::decode(datagram)?.message {
            compact::Message::Ping(probe) | compact::Message::Ack(probe) => probe.updates,
            compact::Message::Gossip(updates) | compact::Message::Records(updates) => updates,
            _ => return Ok(()),
        };
        return updates.iter().try_for_each(|update| update.map(drop));
    }
    let extension = Datagram::decode(datagram)?.extension()?;
    let Some(extension) = extension else {
        return Ok(());
    };
    extension.iter().try_for_each(|field| field.map(drop))
}

fn explain_of(datagram: &[u8]) -> Explained {
    explain(datagram.to_vec().into(), format_of(datagram), None)
}

fn leaves<'a>(fields: &'a [Field], out: &mut Vec<&'a Field>) {
    for field in fields {
        if field.fields.is_empty() {
            out.push(field);
        }
        leaves(&field.fields, out);
    }
}

/// Every byte is told of once, in order.
fn covers(explained: &Explained) {
    let mut fields = Vec::new();
    leaves(&explained.fields, &mut fields);
    let mut at = 0;
    for field in fields {
        assert_eq!(field.offset, at, "{}", field.name);
        at += field.len;
    }
    assert_eq!(at, explained.len, "{}", explained.kind);
}

fn agrees(datagram: &[u8]) {
    let explained = explain_of(datagram);
    match (codec(datagram), &explained.problem) {
        (Ok(()), None) => covers(&explained),
        // The codec takes some fields as one, and says of all that they are cut short.
        (Err(error), Some(problem)) if error.kind() == DecodeErrorKind::Truncated => {
            assert!(problem.offset >= error.offset(), "{problem}, {error}");
        }
        (Err(error), Some(problem)) => {
            let expected = Problem::new(error.offset(), error.kind().to_string());
            assert_eq!(*problem, expected);
        }
        (codec, problem) => panic!("{codec:?}, {problem:?}"),
    }
}

#[test]
fn recorded_datagrams_are_explained_to_the_last_byte() {
    let mut kinds = Vec::new();
    for datagram in recorded() {
        agrees(&datagram);
        let explained = explain_of(&datagram);
        assert_eq!(explained.problem, None);
        kinds.push((explained.format, explained.kind));
    }
    for kind in [
        "ping",
        "ping request",
        "ack",
        "join",
        "welcome",
        "slots announce",
    ] {
        assert!(kinds.contains(&("gossip", kind.to_owned())), "{kind}");
    }
    for kind in ["ping", "ack", "nack", "gossip", "sync", "records"] {
        assert!(
            kinds.contains(&("gossip-compact", kind.to_owned())),
            "{kind}"
        );
    }
}

#[test]
fn a_cut_datagram_is_wrong_where_the_field_starts_that_is_cut() {
    let join = hex::decode("04000102030405060708090a0b0c0d0e0f047f000001eb18").unwrap();
    for (cut, at) in [(0, 0), (1, 1), (16, 1), (17, 17), (20, 18), (23, 22)] {
        let problem = explain_of(&join[..cut]).problem.unwrap();
        assert_eq!(problem.reason, "field cut short");
        assert_eq!(problem.offset, at, "{cut}");
    }
}

#[test]
fn an_update_of_a_kind_to_be_skipped_is_shown() {
    // Gossip in cluster 5, update 0x90 of 3 bytes, then Alive.
    let datagram = hex::decode("440500e9602076 9003aabbcc 01a2716a3705".replace(' ', "")).unwrap();
    let explained = explain_of(&datagram);
    assert_eq!(explained.problem, None);
    covers(&explained);
    let skipped = &explained.fields[3].fields;
    assert_eq!(skipped[0].value, Value::Unsigned(0x90));
    assert_eq!(skipped[2].value, Value::Bytes(vec![0xaa, 0xbb, 0xcc]));
}

#[test]
fn of_an_encrypted_datagram_the_header_is_told() {
    let mut datagram = vec![0x80, 1, 0xab, 0x8e];
    datagram.extend([1, 2, 3, 4]);
    datagram.extend(1_700_000_000_u32.to_le_bytes());
    datagram.extend([7; 8]);
    datagram.extend(9_u64.to_le_bytes());
    datagram.extend(10_u64.to_le_bytes());
    datagram.extend([0xee; 21 + 16]);
    let explained = explain_of(&datagram);
    assert_eq!(explained.problem, None);
    assert_eq!(explained.format, "gossip-encrypted");
    covers(&explained);
    let value = |name| {
        &explained
            .fields
            .iter()
            .find(|f| f.name == name)
            .unwrap()
            .value
    };
    assert_eq!(value("sent"), &Value::Unsigned(1_700_000_000));
    assert_eq!(value("counter"), &Value::Unsigned(10));
    assert_eq!(value("ciphertext"), &Value::Bytes(vec![0xee; 21]));

    let problem = explain_of(&datagram[..40]).problem.unwrap();
    assert_eq!(problem.offset, 36);
}

#[test]
fn what_follows_a_message_is_told() {
    let join = hex::decode("04000102030405060708090a0b0c0d0e0f047f000001eb18").unwrap();
    let names = |more: &[u8]| {
        let explained = explain_of(&[&join, more].concat());
        covers(&explained);
        let names = explained.fields[3..].iter().map(|field| field.name.clone());
        names.collect::<Vec<_>>()
    };
    assert!(names(&[]).is_empty());
    assert_eq!(names(&[0; 100]), ["zeros"]);
    assert_eq!(names(&[7; 3]), ["rest"]);
    assert_eq!(names(&[[0; 32], [7; 32]].concat()), ["zeros", "rest"]);
    assert_eq!(names(b"sh\x02"), ["rest"]);
    assert_eq!(names(b"sh\x01\x00\x00\0\0"), ["extension", "zeros"]);
}

#[test]
fn a_datagram_longer_than_any_is_refused() {
    let explained = explain_of(&[1; MAX_DATAGRAM_LEN + 1]);
    assert_eq!(explained.problem.unwrap().reason, "datagram too long");
    assert!(explained.fields.is_empty());
}

proptest! {
    #[test]
    fn what_the_codec_refuses_is_wrong_and_nothing_else(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        thread_local!(static RECORDED: Vec<Vec<u8>> = recorded());
        let mut datagram = RECORDED.with(|all| which.get(all).clone());
        if is_cut {
            datagram.truncate(cut.index(datagram.len() + 1));
        }
        for (at, value) in changes {
            // The first byte says what it is.
            if datagram.len() > 1 {
                let at = 1 + at.index(datagram.len() - 1);
                datagram[at] = value;
            }
        }
        agrees(&datagram);
    }

    #[test]
    fn any_bytes_are_explained_as_far_as_they_go(
        tag in prop::sample::select(vec![0, 1, 2, 3, 4, 5, 6, 7, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47]),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        agrees(&[&[tag], &rest[..]].concat());
    }
}
