//! What mutations start from: the recorded vectors, and compact datagrams that we write.

use std::{error::Error, fs, path::Path};

use serde_json::Value;
use shiome_gossip::{
    EncodeError, ExtensionPacker, Field, NodeId, SlotRange, Slots,
    compact::{Handle, Header, Member, Meta, Nack, Packer, PingReq, State, Sync, Update},
};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/gossip.json");

/// Starts a message that lists updates.
type Start = for<'b> fn(&'b mut [u8], &Header) -> Result<Packer<'b>, EncodeError>;

const STARTS: [Start; 4] = [
    |buf, header| Packer::ping(buf, header, 7, 8),
    |buf, header| Packer::ack(buf, header, 7, 8),
    |buf, header| Packer::gossip(buf, header),
    |buf, header| Packer::records(buf, header),
];

/// No sample is longer, in bytes.
pub(crate) const MAX_LEN: usize = 512;

/// All samples.
pub(crate) fn all() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut samples = recorded(Path::new(VECTORS))?;
    samples.push(extended(&samples)?);
    samples.extend(compact()?);
    match samples.iter().find(|sample| sample.len() > MAX_LEN) {
        Some(long) => Err(format!("one of {} bytes", long.len()).into()),
        None => Ok(samples),
    }
}

fn recorded(path: &Path) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let entries: Vec<Value> = serde_json::from_slice(&fs::read(path)?)?;
    let datagrams = entries
        .iter()
        .map(|entry| Ok(hex::decode(entry["hex"].as_str().ok_or("no hex")?)?))
        .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    match datagrams.is_empty() {
        true => Err("no vectors".into()),
        false => Ok(datagrams),
    }
}

/// The first sample with an extension behind it.
fn extended(samples: &[Vec<u8>]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut datagram = samples.first().ok_or("no vectors")?.clone();
    let len = datagram.len();
    datagram.resize(MAX_LEN, 0);
    let mut extension = ExtensionPacker::new(&mut datagram[len..]);
    for field in [
        Field::Incarnation(3),
        Field::Suspector {
            update: 1,
            node: node(7),
        },
        Field::Digest {
            members: 3,
            hash: 9,
        },
        Field::Address(([127, 0, 0, 1], 7946).into()),
    ] {
        extension.push(&field)?;
    }
    let extension = extension.finish();
    datagram.truncate(len + extension);
    Ok(datagram)
}

fn compact() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let header = Header {
        cluster: 1,
        sender: handle(1),
    };
    let ranges = [SlotRange::new(0, 5460)?, SlotRange::new(10_923, 16_383)?];
    let members = members(&ranges);
    let news = news();
    let mut samples = Vec::new();
    let mut buf = [0; MAX_LEN];
    for updates in [&news[..], &members, &[]] {
        for start in STARTS {
            let mut packer = start(&mut buf, &header)?;
            updates.iter().try_for_each(|update| packer.push(update))?;
            let len = packer.finish();
            samples.push(buf[..len].to_vec());
        }
    }
    let request = PingReq {
        seq: 7,
        target: handle(2),
    };
    let len = request.encode(&header, &mut buf)?;
    samples.push(buf[..len].to_vec());
    let len = Nack { seq: 7 }.encode(&header, &mut buf)?;
    samples.push(buf[..len].to_vec());
    for bits in [0, 6] {
        let hashes = 0..1u32 << bits;
        let len = Sync::encode(&header, &mut buf, bits == 0, bits, hashes)?;
        samples.push(buf[..len].to_vec());
    }
    Ok(samples)
}

fn news() -> [Update<'static>; 6] {
    let (known, candidate, voter) = (handle(2), node(3), node(1));
    [
        Update::Alive {
            node: known,
            incarnation: 5,
        },
        Update::Suspect {
            node: known,
            incarnation: 1_800_000_000,
            from: handle(1),
        },
        Update::Dead {
            node: known,
            incarnation: u64::MAX,
        },
        Update::Left {
            node: known,
            incarnation: 300,
        },
        Update::VoteRequest {
            candidate,
            epoch: 5,
            offset: 1 << 40,
        },
        Update::VoteGranted {
            from: voter,
            candidate,
            epoch: 5,
        },
    ]
}

fn members(ranges: &[SlotRange]) -> [Update<'_>; 3] {
    let bare = Member {
        id: node(2),
        addr: ([10, 0, 0, 2], 7946).into(),
        incarnation: 300,
        state: State::Alive,
        is_primary: true,
        compact: true,
        meta: None,
    };
    let meta = Meta {
        incarnation: 5,
        replicates: None,
        slots: Slots::from(ranges),
    };
    let replica = Meta {
        replicates: Some(node(2)),
        slots: Slots::EMPTY,
        ..meta
    };
    [
        Update::Member(bare),
        Update::Member(Member {
            meta: Some(meta),
            ..bare
        }),
        Update::Member(Member {
            id: node(3),
            addr: ([0u16, 0, 0, 0, 0, 0, 0, 1], 7946).into(),
            state: State::Suspect,
            meta: Some(replica),
            ..bare
        }),
    ]
}

fn node(byte: u8) -> NodeId {
    NodeId::from([byte; NodeId::LEN])
}

fn handle(byte: u8) -> Handle {
    Handle::of(&node(byte))
}
