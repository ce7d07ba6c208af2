use super::*;

fn hello() -> Hello {
    Hello {
        version: 3,
        oldest_version: 1,
        capabilities: 1 << 50 | 1,
        incarnation: 1,
        nonce: Bytes::from_static(&[7; NONCE_LEN]),
        max_frame_len: MIN_ANNOUNCED_LIMIT,
        max_message_len: MIN_ANNOUNCED_LIMIT,
        max_reassembly_len: MIN_ANNOUNCED_LIMIT,
        window: MIN_ANNOUNCED_LIMIT,
    }
}

fn flags(encoded: impl Into<Bytes>) -> NodeFlags {
    NodeFlags {
        version: 1,
        hello: encoded.into(),
    }
}

fn read_one(hello: &Hello) -> Result<Option<Hello>, HelloError> {
    read(Some(&flags(hello.encode_to_vec())))
}

#[test]
fn a_node_that_announces_nothing_is_no_error() {
    assert_eq!(read(None), Ok(None));
    assert_eq!(read(Some(&flags(Bytes::new()))), Ok(None));
    assert_eq!(read_one(&hello()), Ok(Some(hello())));
    assert_eq!(
        read_hello(Some(&flags(hello().encode_to_vec()))),
        Some(hello())
    );
}

#[test]
fn a_malformed_hello_is_refused_for_what_is_wrong_with_it() {
    type Spoil = fn(&mut Hello);
    let limit = |limit, value| HelloError::Limit {
        limit,
        value,
        least: MIN_ANNOUNCED_LIMIT,
    };
    let short = MIN_ANNOUNCED_LIMIT - 1;
    let cases: [(Spoil, HelloError); 12] = [
        (
            |hello| hello.version = 0,
            HelloError::Versions {
                oldest: 1,
                newest: 0,
            },
        ),
        (
            |hello| hello.oldest_version = 0,
            HelloError::Versions {
                oldest: 0,
                newest: 3,
            },
        ),
        (
            |hello| hello.oldest_version = 4,
            HelloError::Versions {
                oldest: 4,
                newest: 3,
            },
        ),
        (|hello| hello.nonce.clear(), HelloError::Nonce { len: 0 }),
        (
            |hello| hello.nonce.truncate(31),
            HelloError::Nonce { len: 31 },
        ),
        (
            |hello| hello.nonce = vec![0; 33].into(),
            HelloError::Nonce { len: 33 },
        ),
        (|hello| hello.incarnation = 0, HelloError::Incarnation),
        (|hello| hello.window -= 1, limit("window", short)),
        (|hello| hello.window = 0, limit("window", 0)),
        (
            |hello| hello.max_frame_len -= 1,
            limit("max_frame_len", short),
        ),
        (
            |hello| hello.max_message_len -= 1,
            limit("max_message_len", short),
        ),
        (
            |hello| hello.max_reassembly_len -= 1,
            limit("max_reassembly_len", short),
        ),
    ];
    for (spoil, expected) in cases {
        let mut spoilt = hello();
        spoil(&mut spoilt);
        assert_eq!(read_one(&spoilt), Err(expected), "{spoilt:?}");
        assert_eq!(read_hello(Some(&flags(spoilt.encode_to_vec()))), None);
    }
}

#[test]
fn greatest_numbers_are_taken() {
    let greatest = Hello {
        version: u32::MAX,
        capabilities: u64::MAX,
        incarnation: u64::MAX,
        max_frame_len: u64::MAX,
        max_message_len: u64::MAX,
        max_reassembly_len: u64::MAX,
        window: u64::MAX,
        ..hello()
    };
    assert_eq!(read_one(&greatest), Ok(Some(greatest.clone())));
}

#[test]
fn bytes_that_are_no_hello_are_refused_before_they_are_decoded_or_after() {
    let undecodable: [&[u8]; 4] = [
        &[0xff],
        &[0x08],
        &[0x0a, 0x05, 1],
        &[0x2a, 0xff, 0xff, 0x7f],
    ];
    for encoded in undecodable {
        let read = read(Some(&flags(encoded.to_vec())));
        assert_eq!(read, Err(HelloError::Undecodable), "{encoded:?}");
    }
    let mut long = hello().encode_to_vec();
    // A field of a later version: number 100, bytes.
    let room = MAX_HELLO_LEN - long.len() - 4;
    long.extend([0xa2, 0x06, (room & 0x7f) as u8 | 0x80, (room >> 7) as u8]);
    long.resize(MAX_HELLO_LEN, 0);
    assert_eq!(read(Some(&flags(long.clone()))), Ok(Some(hello())));
    long.push(0);
    let len = MAX_HELLO_LEN + 1;
    let expected = Err(HelloError::TooLong { len });
    assert_eq!(read(Some(&flags(long))), expected);
}

fn speaking(oldest: u32, newest: u32) -> Own {
    let hello = Hello {
        version: newest,
        oldest_version: oldest,
        ..hello()
    };
    Own {
        encoded: hello.encode_to_vec().into(),
        hello,
    }
}

#[test]
fn the_highest_version_that_both_speak_is_spoken() {
    for (ours, theirs, version) in [
        ((1, 1), (1, 1), Some(1)),
        ((1, 1), (1, 3), Some(1)),
        ((1, 2), (2, 3), Some(2)),
        ((3, 3), (1, 7), Some(3)),
        ((1, 1), (2, 3), None),
        ((1, u32::MAX - 1), (u32::MAX, u32::MAX), None),
    ] {
        let (ours, theirs) = (speaking(ours.0, ours.1), speaking(theirs.0, theirs.1));
        for (one, other) in [(&ours, &theirs), (&theirs, &ours)] {
            let agreed = one.agree(other.hello.clone());
            assert_eq!(agreed.clone().ok().map(|native| native.version), version);
            if let Err(error) = agreed {
                let expected = HandshakeError::IncompatibleVersion {
                    ours: versions(&one.hello),
                    theirs: versions(&other.hello),
                };
                assert_eq!(error, expected);
            }
        }
    }
}
