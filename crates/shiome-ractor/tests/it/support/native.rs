//! A peer that speaks the protocol between nodes of shiome by hand.

use std::sync::atomic::{AtomicU64, Ordering};

use prost::Message as _;
use ractor::ActorRef;
use shiome_handshake::{Announce, Config, Cookie, Entropy, Handshake, Local};
use shiome_ractor::NodeServerMessage;
use shiome_transport::{Gate, authenticate, handshake::Admission};
use shiome_wire::{
    Capabilities, MAX_FRAME_LEN,
    auth::{AuthenticationMessage, NameMessage, NodeFlags, authentication_message},
    native::{self, native_message},
};

use super::{COOKIE, RawPeer, name_of};

impl RawPeer {
    /// Opens a link and joins as `name@raw`, in its run `incarnation`, up to where both sides are synchronised.
    pub(crate) async fn join_native(
        server: &ActorRef<NodeServerMessage>,
        name: &str,
        incarnation: u64,
    ) -> Self {
        let mut peer = Self::dial(server);
        peer.authenticate_native(name, incarnation).await;
        peer.synchronise().await;
        peer
    }

    pub(crate) async fn authenticate_native(&mut self, name: &str, incarnation: u64) {
        let local = Local {
            name: format!("{name}@raw"),
            connection_string: format!("{name}.raw:1"),
        };
        let config = Config {
            native: Some(Announce {
                capabilities: Capabilities::ALL,
                incarnation,
                max_frame_len: MAX_FRAME_LEN,
                max_message_len: MAX_FRAME_LEN,
                max_reassembly_len: MAX_FRAME_LEN,
                window: 1 << 30,
            }),
            ..Config::new(local, Cookie::new(COOKIE))
        };
        let entropy = Entropy {
            challenge: rand::random(),
            connection_id: unlucky_nonce(),
            nonce: rand::random(),
        };
        let now = tokio::time::Instant::now().into_std();
        let handshake = Handshake::client(now, config, entropy);
        let peer = authenticate(&mut self.reader, &mut self.writer, handshake, &Admit).await;
        assert!(peer.unwrap().native.is_some(), "the node announces itself");
        self.reader.set_max_frame_len(MAX_FRAME_LEN);
    }

    /// Claims to be `name@raw`, in its run `incarnation`.
    pub(crate) async fn send_native_name(&mut self, name: &str, incarnation: u64) {
        let hello = native::Hello {
            version: 1,
            oldest_version: 1,
            capabilities: Capabilities::ALL.bits(),
            incarnation,
            nonce: vec![7; 32].into(),
            max_frame_len: MAX_FRAME_LEN,
            max_message_len: MAX_FRAME_LEN,
            max_reassembly_len: MAX_FRAME_LEN,
            window: 1 << 20,
        };
        let flags = NodeFlags {
            version: 1,
            hello: hello.encode_to_vec().into(),
        };
        let name = NameMessage {
            flags: Some(flags),
            ..name_of(name)
        };
        self.send(authentication_message::Msg::Name(name)).await;
    }

    /// What `pick` finds in a message between nodes of shiome, skipping others.
    pub(crate) async fn expect_native<T>(
        &mut self,
        pick: impl Fn(native_message::Msg) -> Option<T>,
    ) -> T {
        self.expect(|message| pick(message.into_native()?)).await
    }

    pub(crate) async fn expect_call_error(&mut self) -> native::CallError {
        self.expect_native(|message| match message {
            native_message::Msg::CallError(error) => Some(error),
            _ => None,
        })
        .await
    }

    pub(crate) async fn expect_exit(&mut self) -> native::Exit {
        self.expect_native(|message| match message {
            native_message::Msg::Exit(exit) => Some(exit),
            _ => None,
        })
        .await
    }
}

/// Greater than those before, so that an earlier connection of the same run stays.
fn unlucky_nonce() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Goes along with everything.
struct Admit;

impl Gate for Admit {
    async fn admit(&self, _peer: &NameMessage) -> Admission {
        Admission::Ok
    }

    async fn named(&self, _peer: &NameMessage) {}

    fn is_reflected(&self, _message: &AuthenticationMessage) -> bool {
        false
    }

    async fn replace(&self) -> bool {
        true
    }
}
