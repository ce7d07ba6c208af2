//! Makes the recording of today's version.
//!
//! A file that has been released is never made again: nodes that speak so are out there. It is made here so that
//! everybody can see from what.

use std::time::Instant;

use super::{Agreed, Announced, End, Entry, Frame, Speaker, replay::Player};

/// The content of `native-1.json`.
///
/// # Panics
///
/// When two of today's ends do not authenticate each other.
pub fn record() -> String {
    let entries: Vec<_> = HANDSHAKES.iter().map(Recipe::entry).collect();
    let json = serde_json::to_string_pretty(&entries).expect("entries are plain data");
    json + "\n"
}

/// What makes a recording differ from the others.
struct Recipe {
    name: &'static str,
    channel_binding: Option<u8>,
    status: i32,
    client_announces: bool,
    server_announces: bool,
}

const HANDSHAKES: [Recipe; 6] = [
    Recipe {
        name: "two nodes of version 1",
        channel_binding: None,
        status: 0,
        client_announces: true,
        server_announces: true,
    },
    Recipe {
        name: "two nodes of version 1, on TLS",
        channel_binding: Some(0xb0),
        status: 0,
        client_announces: true,
        server_announces: true,
    },
    Recipe {
        name: "two nodes of version 1, the connection replaces another",
        channel_binding: None,
        status: 4,
        client_announces: true,
        server_announces: true,
    },
    Recipe {
        name: "a node from before version 1 dials one of version 1",
        channel_binding: None,
        status: 0,
        client_announces: false,
        server_announces: true,
    },
    Recipe {
        name: "a node of version 1 dials one from before",
        channel_binding: None,
        status: 1,
        client_announces: true,
        server_announces: false,
    },
    Recipe {
        name: "two nodes from before version 1",
        channel_binding: None,
        status: 0,
        client_announces: false,
        server_announces: false,
    },
];

impl Recipe {
    fn entry(&self) -> Entry {
        // Bytes that count up, so that one out of place shows.
        let counting = |from: u8| hex::encode((0..32).map(|i| from + i).collect::<Vec<u8>>());
        let client = Announced {
            capabilities: 63,
            incarnation: 1_700_000_000_000_000,
            nonce: counting(0x10),
            max_frame_len: 16 << 20,
            max_message_len: 256 << 20,
            max_reassembly_len: 512 << 20,
            window: 4 << 20,
        };
        // Takes fewer kinds of messages than the client, and one that no version has.
        let server = Announced {
            capabilities: 1 << 20 | 39,
            incarnation: 1_700_000_123_456_789,
            nonce: counting(0x50),
            max_frame_len: 64 << 10,
            max_message_len: 64 << 10,
            max_reassembly_len: 64 << 10,
            window: 64 << 10,
        };
        let mut entry = Entry {
            name: self.name.to_owned(),
            cookie: "a cookie for recordings".to_owned(),
            channel_binding: self.channel_binding.map(counting).unwrap_or_default(),
            status: self.status,
            client: End {
                name: "client@recording".to_owned(),
                connection_string: "recording:4697".to_owned(),
                challenge: 0x0102_0304,
                connection_id: 0x0011_2233_4455_6677,
                announce: self.client_announces.then_some(client),
            },
            server: End {
                name: "server@recording".to_owned(),
                connection_string: "recording:4698".to_owned(),
                challenge: 0xf1f2_f3f4,
                connection_id: 0,
                announce: self.server_announces.then_some(server),
            },
            frames: Vec::new(),
            agreed: None,
        };
        (entry.frames, entry.agreed) = play(&entry);
        entry
    }
}

/// Two of today's ends; what they say and agree on.
fn play(entry: &Entry) -> (Vec<Frame>, Option<Agreed>) {
    let now = Instant::now();
    let new = |from| {
        (
            from,
            Player::new(entry, from, now).expect("the recipe is right"),
        )
    };
    let mut players = [Speaker::Client, Speaker::Server].map(new);
    let mut frames = Vec::new();
    loop {
        let before = frames.len();
        for (speaker, listener) in [(0, 1), (1, 0)] {
            let (from, player) = &mut players[speaker];
            let said: Vec<_> = std::iter::from_fn(|| player.say())
                .map(|hex| Frame { from: *from, hex })
                .collect();
            for frame in &said {
                players[listener]
                    .1
                    .hear(frame)
                    .expect("both know the cookie");
            }
            frames.extend(said);
        }
        if frames.len() == before {
            break;
        }
    }
    let [client, server] = players.map(|(_, player)| player.agreed.expect("both know the cookie"));
    assert_eq!(client, server);
    (frames, client)
}
