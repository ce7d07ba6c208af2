//! What logs may show.

use bytes::Bytes;
use shiome_wire::meta::network_message::Message;
use shiome_wire::native::native_message;

use super::pair::Pair;
use super::{COOKIE, config, entropy, native};
use crate::{Config, DigestScheme};

/// Every form in which bytes could be shown, but for the brackets around a list.
fn forms(bytes: &[u8]) -> [String; 3] {
    let list = format!("{bytes:?}");
    let text = format!("{:?}", Bytes::copy_from_slice(bytes));
    [
        hex::encode(bytes),
        list.trim_matches(['[', ']']).to_owned(),
        text.trim_start_matches("b\"")
            .trim_end_matches('"')
            .to_owned(),
    ]
}

/// The proofs that the two ends send.
fn proofs(configs: [Config; 2]) -> Vec<Vec<u8>> {
    let [client, server] = configs;
    let mut pair = Pair::of(client, server);
    let mut proofs = Vec::new();
    while pair.step() {
        pair.act();
        for message in pair.to_client.iter().chain(&pair.to_server) {
            if let Some(Message::Native(native)) = &message.message
                && let Some(native_message::Msg::Proof(proof)) = &native.msg
            {
                proofs.push(proof.mac.to_vec());
            }
        }
    }
    proofs
}

#[test]
fn debug_shows_no_cookie_digest_nonce_proof_or_channel_binding() {
    let bound = |name| Config {
        channel_binding: Some([0x6b; 32]),
        ..native(name)
    };
    let configs = || [bound("client"), bound("server")];
    let proofs = proofs(configs());
    assert_eq!(proofs.len(), 2);
    let secrets: Vec<String> = [1, 2]
        .map(|challenge| DigestScheme::Sha256.digest(&COOKIE.into(), challenge))
        .iter()
        .flat_map(|digest| forms(digest.as_ref()))
        .chain([1, 2].iter().flat_map(|&end| forms(&entropy(end, 0).nonce)))
        .chain(proofs.iter().flat_map(|proof| forms(proof)))
        .chain(forms(&[0x6b; 32]))
        .chain([COOKIE.to_owned()])
        .collect();

    let [client, server] = configs();
    let mut pair = Pair::of(client, server);
    loop {
        // Also while messages are queued.
        let texts = [
            format!("{:?} {:#?}", pair.client, pair.client),
            format!("{:?} {:#?}", pair.server, pair.server),
            format!("{:?} {:?}", pair.client_events, pair.server_events),
            format!("{:?} {:?}", config("client"), bound("client")),
            format!("{:?}", entropy(1, 0)),
            format!("{:?}", DigestScheme::Sha256.digest(&COOKIE.into(), 1)),
        ];
        for text in texts {
            for secret in &secrets {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
        if !pair.step() {
            break;
        }
    }
    assert_eq!(pair.authenticated(), [true, true]);
    assert!(format!("{:?}", pair.client).contains("server@host"));
    assert!(format!("{:?}", pair.client_events).contains("incarnation: 1"));
}
