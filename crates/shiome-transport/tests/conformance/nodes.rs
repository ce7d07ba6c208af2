//! What two nodes do over a link.

use bytes::Bytes;
use shiome_handshake::Side;
use shiome_session::{CallEnd, Config, SendError};
use shiome_transport::{LinkEnd, ReadError};
use shiome_wire::Capabilities;

use crate::{
    endpoint::{Endpoint, FREEZE, Heard},
    schemes::Case,
};

const LEGACY_AND_NATIVE: [Option<Capabilities>; 2] = [None, Some(Capabilities::ALL)];

/// The ends know each other, and how they are protected.
pub(crate) async fn join(case: Case) {
    let (here, there) = case.open().await;
    assert_eq!([here.security, there.security], [case.security; 2]);
    assert_eq!(here.channel_binding, there.channel_binding);
    let is_tls = case.security == shiome_transport::Security::Tls;
    assert_eq!(here.channel_binding.is_some(), is_tls);
    assert!(
        [&here.peer, &here.local, &there.peer, &there.local]
            .iter()
            .all(|s| !s.is_empty())
    );
    let (a, b) = tokio::join!(
        Endpoint::start("a", "cookie", Side::Client, here),
        Endpoint::start("b", "cookie", Side::Server, there),
    );
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(
        (&*a.proven.name.name, a.proven.side),
        ("b@test", Side::Client)
    );
    assert_eq!(
        (&*b.proven.name.name, b.proven.side),
        ("a@test", Side::Server)
    );

    let (here, there) = case.open().await;
    let (a, b) = tokio::join!(
        Endpoint::start("a", "cookie", Side::Client, here),
        Endpoint::start("b", "another", Side::Server, there),
    );
    assert!(a.is_err() && b.is_err(), "the cookies differ");
}

/// Both are ready, what was cast before the end arrives, and the end is in good order.
pub(crate) async fn sync(case: Case) {
    for native in LEGACY_AND_NATIVE {
        let links = case.open().await;
        let (a, mut b) = Endpoint::pair_with(links, Config::default(), [native; 2]).await;
        for n in 0..1000u32 {
            a.cast(n.to_be_bytes().to_vec());
        }
        a.peer.close();
        for n in 0..1000u32 {
            let expected = Heard::Cast(n.to_be_bytes().to_vec().into());
            assert_eq!(b.heard.recv().await, Some(expected));
        }
        let end = a.end.await.unwrap();
        assert!(matches!(end, LinkEnd::Closed), "{end:?}");
        let end = b.end.await.unwrap();
        match native {
            None => assert!(matches!(end, LinkEnd::ClosedByPeer), "{end:?}"),
            Some(_) => assert!(matches!(end, LinkEnd::Goodbye { .. }), "{end:?}"),
        }
    }
}

/// Many at a time, in both directions.
pub(crate) async fn calls(case: Case) {
    let (a, b) = Endpoint::native_pair(case.open().await).await;
    let question = |n: usize| Bytes::from(vec![n as u8; 1 + n * 37 % 5000]);
    let calls: Vec<_> = (0..500)
        .map(|n| {
            (
                n,
                if n % 2 == 0 {
                    a.call(question(n))
                } else {
                    b.call(question(n))
                },
            )
        })
        .collect();
    for (n, reply) in calls {
        assert_eq!(reply.await.unwrap().unwrap(), question(n));
    }
}

/// Far longer than any buffer on the way.
pub(crate) async fn large_messages(case: Case) {
    for native in LEGACY_AND_NATIVE {
        let links = case.open().await;
        let (a, b) = Endpoint::pair_with(links, Config::default(), [native; 2]).await;
        let large = Bytes::from(
            (0..8 * 1024 * 1024)
                .map(|n| (n / 13) as u8)
                .collect::<Vec<_>>(),
        );
        let (to_b, to_a) = (a.call(large.clone()), b.call(large.clone()));
        assert!(to_b.await.unwrap().unwrap() == large, "bytes differ");
        assert!(to_a.await.unwrap().unwrap() == large, "bytes differ");
    }
}

/// Who waits for an answer hears that there will be none.
pub(crate) async fn abrupt_close(case: Case) {
    let (a, b) = Endpoint::pair(case.open().await).await;
    a.cast(FREEZE);
    let call = a.call("anybody there?");
    b.end.abort();
    assert!(b.end.await.unwrap_err().is_cancelled());
    assert!(matches!(call.await.unwrap(), Err(CallEnd::Closed { .. })));
    let end = a.end.await.unwrap();
    assert!(
        matches!(
            end,
            LinkEnd::ClosedByPeer | LinkEnd::Write(_) | LinkEnd::Read(ReadError::Io(_))
        ),
        "{end:?}"
    );
}

/// Senders to a node that does not read are told, and nothing grows without limit.
pub(crate) async fn overflow(case: Case) {
    let mut limits = Config::default();
    limits.max_outbox = 1_000_000;
    let links = case.open().await;
    let (a, b) = Endpoint::pair_with(links, limits, [None; 2]).await;
    a.cast(FREEZE);
    let chunk = Bytes::from(vec![0; 100_000]);
    let mut sent = 0;
    let refused = loop {
        match a.try_cast(chunk.clone()) {
            Ok(()) => sent += chunk.len(),
            Err(refused) => break refused,
        }
        assert!(sent < 64 * 1024 * 1024, "{sent} bytes and still going");
    };
    assert!(
        matches!(
            refused,
            SendError::Full {
                limit: 1_000_000,
                ..
            }
        ),
        "{refused}"
    );
    a.peer.abandon(drop);
    // It may have come to where the link takes no more, and then only the other end can free it.
    b.end.abort();
    let end = a.end.await.unwrap();
    assert!(
        matches!(end, LinkEnd::Closed | LinkEnd::Write(_)),
        "{end:?}"
    );
}
