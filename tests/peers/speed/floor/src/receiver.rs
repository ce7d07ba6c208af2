use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use speed_harness::{Receiver, Tls};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    Stream,
    frames::{self, BATCH_LEN, CallReply, Msg},
    sender::COUNT,
};

/// Counts casts and answers calls.
pub struct Floor;

impl Receiver for Floor {
    async fn start(tls: Option<Tls>) -> Result<(Self, u16), String> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(|e| e.to_string())?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let tls = tls.clone();
                tokio::spawn(async move {
                    if let Err(problem) = accept(stream, tls).await {
                        eprintln!("{problem}");
                    }
                });
            }
        });
        Ok((Self, address.port()))
    }
}

async fn accept(stream: TcpStream, tls: Option<Tls>) -> Result<(), String> {
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    match tls {
        None => serve(stream).await,
        Some(tls) => {
            let stream = tls.acceptor.accept(stream).await;
            serve(stream.map_err(|e| e.to_string())?).await
        }
    }
}

async fn serve(mut stream: impl Stream) -> Result<(), String> {
    let (mut received, mut replies) = (BytesMut::new(), BytesMut::new());
    let mut casts = 0_u64;
    loop {
        received.reserve(BATCH_LEN);
        let read = stream.read_buf(&mut received).await;
        if read.map_err(|e| e.to_string())? == 0 {
            return Ok(());
        }
        while let Some(msg) = frames::decode(&mut received)? {
            match msg {
                Msg::Cast(cast) => {
                    black_box(frames::payload(&cast.what)?);
                    casts += 1;
                }
                Msg::Call(call) => {
                    let what = if call.variant == COUNT {
                        Bytes::copy_from_slice(&casts.to_be_bytes())
                    } else {
                        frames::args(&frames::payload(&call.what)?)
                    };
                    let (to, tag) = (call.to, call.tag);
                    frames::encode(Msg::Reply(CallReply { to, tag, what }), &mut replies);
                }
                Msg::Reply(_) => {}
            }
        }
        if !replies.is_empty() {
            let written = stream.write_all(&replies).await;
            written.map_err(|e| e.to_string())?;
            stream.flush().await.map_err(|e| e.to_string())?;
            replies.clear();
        }
    }
}
