use super::*;
use crate::security::{
    header::{DATAGRAM_TAG, PING_TAG},
    key::Key,
};

const SENT: u32 = 1_700_000_000;
const CLUSTER: u64 = 0x0123_4567_89ab_cdef;

fn sealer(key: u8, cluster: u64) -> Protection {
    let keyring = Keyring::new(&Key::from([key; 32]));
    Protection::new(&keyring.into(), cluster, &NodeId::from([7; 16]), 42)
}

/// Of another node, which hears the one above.
fn opener(key: u8, cluster: u64) -> Protection {
    let keyring = Keyring::new(&Key::from([key; 32]));
    Protection::new(&keyring.into(), cluster, &NodeId::from([8; 16]), 42)
}

fn seal(protection: &Protection, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; HEADER_LEN + message.len() + AEAD_TAG_LEN];
    frame[HEADER_LEN..][..message.len()].copy_from_slice(message);
    let range = protection.seal(DATAGRAM_TAG, SENT, &mut frame, message.len());
    frame[range.unwrap()].to_vec()
}

fn open(protection: &Protection, datagram: &[u8]) -> Result<Vec<u8>, Reject> {
    let mut datagram = datagram.to_vec();
    let (_, message) = protection.open(DATAGRAM_TAG, &mut datagram, |_| Ok(()))?;
    Ok(message.to_vec())
}

#[test]
fn what_is_sealed_opens_and_cannot_be_read() {
    let message = b"the members of the cluster";
    let datagram = seal(&sealer(1, CLUSTER), message);
    assert_eq!(
        datagram.len(),
        message.len() + super::super::ENCRYPTION_OVERHEAD
    );
    assert!(
        !datagram
            .windows(4)
            .any(|window| message.windows(4).any(|part| part == window))
    );
    assert_eq!(open(&opener(1, CLUSTER), &datagram).unwrap(), message);
    assert_eq!(
        open(&opener(1, CLUSTER), &seal(&sealer(1, CLUSTER), b"")).unwrap(),
        b""
    );
}

/// Computed with libsodium (`crypto_aead_xchacha20poly1305_ietf_encrypt`).
#[test]
fn the_bytes_are_those_of_another_implementation() {
    let expected = "8001 efcd dcd2bd04 00f15365 ca348de6c5596297 2a00000000000000 0000000000000000
        a3f6aeaa318c95 4d91ef68f9df28e98380d636fc59b79c";
    let datagram = hex::encode(seal(&sealer(1, CLUSTER), b"message"));
    assert_eq!(datagram, expected.replace([' ', '\n'], ""));
}

#[test]
fn no_two_datagrams_have_a_nonce_in_common() {
    let protection = sealer(1, CLUSTER);
    let [first, second] = [seal(&protection, b"x"), seal(&protection, b"x")];
    assert_eq!(first[..28], second[..28]);
    assert_eq!(first[28..36], 0u64.to_le_bytes());
    assert_eq!(second[28..36], 1u64.to_le_bytes());
    assert_ne!(first[36..], second[36..]);
}

#[test]
fn one_changed_bit_closes_it() {
    let protection = sealer(1, CLUSTER);
    let datagram = seal(&protection, b"message");
    for bit in 0..datagram.len() * 8 {
        let mut changed = datagram.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let expected = match bit / 8 {
            0 => Reject::Plaintext,
            1 => Reject::UnknownVersion,
            2..4 => Reject::WrongCluster,
            4..8 => Reject::UnknownKey,
            _ => Reject::Forged,
        };
        assert_eq!(
            open(&opener(1, CLUSTER), &changed),
            Err(expected),
            "bit {bit}"
        );
    }
}

#[test]
fn a_part_of_it_does_not_open() {
    let protection = sealer(1, CLUSTER);
    let datagram = seal(&protection, b"message");
    for len in 0..datagram.len() {
        let expected = match len {
            0 => Reject::Plaintext,
            1..52 => Reject::Truncated,
            _ => Reject::Forged,
        };
        assert_eq!(
            open(&opener(1, CLUSTER), &datagram[..len]),
            Err(expected),
            "{len}"
        );
    }
    let long = vec![DATAGRAM_TAG; MAX_DATAGRAM_LEN + 1];
    assert_eq!(open(&protection, &long), Err(Reject::Oversized));
    let longest = vec![DATAGRAM_TAG; MAX_DATAGRAM_LEN];
    assert_eq!(open(&protection, &longest), Err(Reject::UnknownVersion));
}

#[test]
fn keys_clusters_and_kinds_are_kept_apart() {
    let datagram = seal(&sealer(1, CLUSTER), b"message");
    assert_eq!(
        open(&opener(2, CLUSTER), &datagram),
        Err(Reject::UnknownKey)
    );
    assert_eq!(
        open(&opener(1, CLUSTER + 1), &datagram),
        Err(Reject::WrongCluster)
    );
    // The low bits agree, the others do not.
    assert_eq!(
        open(&opener(1, CLUSTER ^ 1 << 40), &datagram),
        Err(Reject::Forged)
    );

    let mut as_ping = datagram.clone();
    as_ping[0] = PING_TAG;
    let opened = opener(1, CLUSTER).open(PING_TAG, &mut as_ping, |_| Ok(()));
    assert_eq!(opened.unwrap_err(), Reject::Forged);
}

#[test]
fn nothing_is_decrypted_that_the_check_refuses() {
    let protection = sealer(1, CLUSTER);
    let mut datagram = seal(&protection, b"message");
    let before = datagram.clone();
    let opened = opener(1, CLUSTER).open(DATAGRAM_TAG, &mut datagram, |header| {
        assert_eq!((header.epoch, header.sent), (42, SENT));
        Err(Reject::Replayed)
    });
    assert_eq!(opened.unwrap_err(), Reject::Replayed);
    assert_eq!(datagram, before);
}

#[test]
fn a_frame_without_room_is_not_sealed() {
    let mut frame = [0; HEADER_LEN + 8 + AEAD_TAG_LEN - 1];
    let encrypted = sealer(1, CLUSTER);
    assert_eq!(encrypted.seal(DATAGRAM_TAG, SENT, &mut frame, 8), None);
    assert!(encrypted.seal(DATAGRAM_TAG, SENT, &mut frame, 7).is_some());
    for protection in [
        Protection::Plaintext,
        Protection::Hmac(Secret::new("hunter2").unwrap()),
        encrypted,
    ] {
        for len in [60, usize::MAX] {
            assert_eq!(protection.seal(DATAGRAM_TAG, SENT, &mut frame, len), None);
        }
        assert_eq!(protection.seal(DATAGRAM_TAG, SENT, &mut [], 0), None);
    }
}

#[test]
fn a_migration_is_for_those_who_have_keys() {
    let protection = sealer(1, CLUSTER);
    assert_eq!(
        protection.set_migration(false, false),
        Err(MigrationError::OneWay)
    );
    assert_eq!(protection.set_migration(true, false), Ok(()));
    assert_eq!(seal(&protection, b"clear"), b"clear");
    assert_eq!(open(&protection, b"clear"), Ok(b"clear".to_vec()));
    assert_eq!(
        Protection::Plaintext.set_migration(true, true),
        Err(MigrationError::NoKeys)
    );
}

#[test]
fn a_node_does_not_hear_itself_but_does_hear_another_with_its_id() {
    let at_epoch = |epoch| {
        let keyring = Keyring::new(&Key::from([1; 32]));
        Protection::new(&keyring.into(), CLUSTER, &NodeId::from([7; 16]), epoch)
    };
    let now = at_epoch(42);
    for (epoch, expected) in [
        (41, Err(Reject::Reflected)),
        (42, Err(Reject::Reflected)),
        (43, Ok(b"message".to_vec())),
    ] {
        let datagram = seal(&at_epoch(epoch), b"message");
        assert_eq!(open(&now, &datagram), expected, "{epoch}");
    }
}
