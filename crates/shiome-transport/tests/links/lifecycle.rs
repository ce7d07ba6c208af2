//! How links end, and what does not end them.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};

use shiome_handshake::{HandshakeError, Side};
use shiome_session::{CallEnd, Config, Event, MAX_OUTBOX_LEN, SendError, Session};
use shiome_transport::{
    AuthenticateError, EventSink, FrameReader, Link, LinkEnd, Peer, ReadError, Security,
    authenticate, drive,
};
use shiome_wire::{control::Actor, node};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt, DuplexStream},
    time::timeout,
};

use super::{
    endpoint::{Endpoint, FREEZE, Open, PID, config, handshake},
    kinds::memory,
};

#[tokio::test(start_paused = true)]
async fn a_wrong_cookie_fails_at_both_ends() {
    let (here, there) = memory().await;
    let (a, b) = tokio::join!(
        Endpoint::start("a", "cookie", Side::Client, here),
        Endpoint::start("b", "another", Side::Server, there),
    );
    assert!(matches!(
        b.err().unwrap(),
        AuthenticateError::Handshake(HandshakeError::WrongDigest)
    ));
    assert!(matches!(a.err().unwrap(), AuthenticateError::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up() {
    let (here, _silent) = memory().await;
    let ended = Endpoint::start("a", "cookie", Side::Client, here).await;
    assert!(matches!(
        ended.err().unwrap(),
        AuthenticateError::Handshake(HandshakeError::Deadline)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_that_it_is_refused_is_given_up() {
    let (here, there) = tokio::io::duplex(4);
    let strict = shiome_handshake::Config {
        require_native: true,
        ..config("a", "cookie")
    };
    let here = Link::from_stream(here, "b", "a", Security::Plain);
    let (mut reader, mut writer) = (FrameReader::new(here.reader, 0), here.writer);
    let refuses = authenticate(
        &mut reader,
        &mut writer,
        handshake(strict, Side::Server),
        &Open,
    );
    let there = Link::from_stream(there, "a", "b", Security::Plain);
    let _unread = there.reader;
    let mut speaks = there.writer;
    let mut client = handshake(config("b", "cookie"), Side::Client);
    let mut name = Default::default();
    shiome_wire::encode(&client.poll_transmit().unwrap(), u64::MAX, &mut name).unwrap();
    let ended = async { tokio::join!(refuses, speaks.write_all(&name)).0 };
    let ended = timeout(Duration::from_secs(60), ended).await;
    assert!(matches!(
        ended.expect("the handshake has a deadline"),
        Err(AuthenticateError::Handshake(HandshakeError::Deadline))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_one_byte_at_a_time_is_given_up_too() {
    let (here, mut slow) = memory().await;
    let drip = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if slow.writer.write_all(&[0]).await.is_err() {
                return;
            }
        }
    };
    let ended = Endpoint::start("a", "cookie", Side::Server, here);
    let (ended, ()) = tokio::join!(ended, drip);
    assert!(matches!(
        ended.err().unwrap(),
        AuthenticateError::Handshake(HandshakeError::Deadline)
    ));
}

/// The peer says its last, and resets the connection.
struct Resets {
    peer: DuplexStream,
    last: BytesMut,
}

impl AsyncWrite for Resets {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { peer, last } = &mut *self;
        while !last.is_empty() {
            let said = ready!(Pin::new(&mut *peer).poll_write(cx, last))?;
            last.advance(said);
        }
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Counts casts.
struct Casts(usize);

impl EventSink<()> for Casts {
    async fn handle(&mut self, event: Event<()>) {
        self.0 += usize::from(matches!(event, Event::Cast(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_peer_has_said_is_heard_though_it_takes_nothing_any_more() {
    let (there, here) = tokio::io::duplex(64 * 1024);
    let now = tokio::time::Instant::now().into_std();
    let peer = Arc::new(Peer::new(Session::new(now, Config::default(), 1)));
    peer.apply(|session, now| {
        session.start(now, None);
        session.announce([Actor {
            pid: PID,
            name: None,
        }]);
    });
    let mut last = BytesMut::new();
    let cast = node::Cast {
        to: PID,
        ..node::Cast::default()
    };
    for _ in 0..10 {
        shiome_wire::encode(&cast.clone().into(), u64::MAX, &mut last).unwrap();
    }
    let writer = Box::new(Resets { peer: there, last });
    let mut reader = FrameReader::new(Box::new(here), 1024);
    let mut casts = Casts(0);
    let began = tokio::time::Instant::now();
    let end = drive(&mut reader, writer, &peer, &mut casts).await;
    assert!(matches!(end, LinkEnd::Write(_)), "{end:?}");
    assert_eq!(casts.0, 10);
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "and not waited for"
    );
}

#[tokio::test(start_paused = true)]
async fn an_abrupt_end_ends_the_open_calls() {
    let (a, b) = Endpoint::pair(memory().await).await;
    b.end.abort();
    let call = a.call("anybody there?");
    assert!(matches!(call.await.unwrap(), Err(CallEnd::Closed { .. })));
    assert!(matches!(
        a.end.await.unwrap(),
        LinkEnd::ClosedByPeer | LinkEnd::Write(_) | LinkEnd::Read(ReadError::Io(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn an_idle_link_stays() {
    let (mut a, mut b) = Endpoint::pair(memory().await).await;
    let hours = Duration::from_secs(4 * 3600);
    let ended = async {
        tokio::select! { end = &mut a.end => end, end = &mut b.end => end }
    };
    assert!(timeout(hours, ended).await.is_err(), "pings keep it alive");
    assert_eq!(a.call("echo").await.unwrap().unwrap(), "echo");
}

#[tokio::test(start_paused = true)]
async fn a_frozen_peer_is_given_up_and_senders_are_let_go() {
    let (a, b) = Endpoint::pair(memory().await).await;
    a.cast(FREEZE);
    // Nothing is read at the other end: the outbox fills, and senders wait until the link is given up.
    let chunk = bytes::Bytes::from(vec![0; 1024 * 1024]);
    let refused = loop {
        match a.try_cast(chunk.clone()) {
            Ok(()) => {}
            Err(refused) => break refused,
        }
    };
    let SendError::Full { queued, limit } = refused else {
        panic!("{refused}");
    };
    assert_eq!(limit, MAX_OUTBOX_LEN);
    assert!((limit..limit + 2 * chunk.len()).contains(&queued));
    let waited = tokio::time::Instant::now();
    a.peer.room().await;
    assert!(waited.elapsed() > Duration::from_secs(1));
    assert!(matches!(a.end.await.unwrap(), LinkEnd::Unresponsive { .. }));
    drop(b);
}
