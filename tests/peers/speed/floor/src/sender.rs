use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use speed_harness::{COUNTERS, Called, Calls, Casts, Connected, SERVER_NAME, Tls, nanos_since};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::rustls::pki_types::ServerName;

use crate::{
    Stream,
    frames::{self, BATCH_LEN, Call, CallReply, Cast, Msg},
};

/// The variant of a call that asks how many casts came before it.
pub const COUNT: &str = "Count";

/// One connection and its buffers.
pub struct Floor {
    link: Option<Link>,
}

struct Link {
    stream: Box<dyn Stream>,
    out: BytesMut,
    received: BytesMut,
    tag: u64,
}

impl speed_harness::Sender for Floor {
    async fn connect(
        address: String,
        tls: Option<Tls>,
        members: usize,
    ) -> Result<(Self, Connected), String> {
        if members > 0 {
            return Err("there are no groups".to_owned());
        }
        let start = Instant::now();
        let stream = TcpStream::connect(address)
            .await
            .map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = ServerName::try_from(SERVER_NAME).map_err(|e| e.to_string())?;
                let stream = tls.connector.connect(name, stream).await;
                Box::new(stream.map_err(|e| e.to_string())?)
            }
        };
        let took = start.elapsed();
        let link = Link {
            stream,
            out: BytesMut::new(),
            received: BytesMut::new(),
            tag: 0,
        };
        let connected = Connected {
            ready: took,
            visible: took,
        };
        Ok((Self { link: Some(link) }, connected))
    }

    async fn casts(&mut self, _handle: &str, casts: Casts) -> Result<Duration, String> {
        let mut link = self.link.take().ok_or(BROKEN)?;
        // On a worker of the runtime, as all others.
        let task = tokio::spawn(async move { (link.casts(casts).await, link) });
        let (done, link) = task.await.map_err(|e| e.to_string())?;
        self.link = Some(link);
        done
    }

    async fn calls(&mut self, _handle: &str, calls: Calls) -> Result<Called, String> {
        let mut link = self.link.take().ok_or(BROKEN)?;
        let task = tokio::spawn(async move { (link.calls(calls).await, link) });
        let (done, link) = task.await.map_err(|e| e.to_string())?;
        self.link = Some(link);
        done
    }
}

const BROKEN: &str = "the connection is broken";

impl Link {
    async fn casts(&mut self, casts: Casts) -> Result<Duration, String> {
        let payload = vec![7; casts.len];
        let before = self.arrived().await?;
        let start = Instant::now();
        for number in 1..=casts.count {
            let cast = Cast {
                to: number % casts.senders as u64 % COUNTERS as u64,
                what: frames::args(&payload),
                variant: "Put".to_owned(),
                metadata: None,
            };
            frames::encode(Msg::Cast(cast), &mut self.out);
            if self.out.len() >= BATCH_LEN {
                self.flush().await?;
            }
            if casts.every > 0 && number % casts.every == 0 {
                self.arrived().await?;
            }
        }
        let arrived = self.arrived().await? - before;
        let wall = start.elapsed();
        if arrived == casts.count {
            Ok(wall)
        } else {
            Err(format!("{arrived} of {} casts arrived", casts.count))
        }
    }

    /// Keeps so many calls open as there would be callers.
    async fn calls(&mut self, calls: Calls) -> Result<Called, String> {
        let payload = vec![7; calls.len];
        let start = Instant::now();
        let (mut sent, mut answered) = (0, 0);
        let mut begun = vec![start; calls.callers];
        let mut latencies = Vec::new();
        while answered < calls.count {
            while sent < calls.count && sent - answered < calls.callers as u64 {
                begun[sent as usize % calls.callers] = Instant::now();
                self.call("Echo", sent, frames::args(&payload));
                sent += 1;
            }
            self.flush().await?;
            // All that came with the first, before the next are sent.
            let mut reply = Some(self.reply().await?);
            while let Some(CallReply { tag, .. }) = reply {
                latencies.push(nanos_since(begun[tag as usize % calls.callers]));
                answered += 1;
                reply = self.buffered_reply()?;
            }
        }
        let wall = start.elapsed();
        Ok(Called { wall, latencies })
    }

    /// How many casts have arrived of those before.
    async fn arrived(&mut self) -> Result<u64, String> {
        self.tag += 1;
        self.call(COUNT, self.tag, Bytes::new());
        self.flush().await?;
        let mut reply = self.reply().await?;
        if reply.what.len() < size_of::<u64>() {
            return Err("not a count".to_owned());
        }
        Ok(reply.what.get_u64())
    }

    fn call(&mut self, variant: &str, tag: u64, what: Bytes) {
        let call = Call {
            to: 1,
            what,
            tag,
            timeout_ms: None,
            variant: variant.to_owned(),
            metadata: None,
        };
        frames::encode(Msg::Call(call), &mut self.out);
    }

    async fn flush(&mut self) -> Result<(), String> {
        let written = self.stream.write_all(&self.out).await;
        written.map_err(|e| e.to_string())?;
        self.out.clear();
        self.stream.flush().await.map_err(|e| e.to_string())
    }

    async fn reply(&mut self) -> Result<CallReply, String> {
        loop {
            if let Some(reply) = self.buffered_reply()? {
                return Ok(reply);
            }
            self.received.reserve(BATCH_LEN);
            let read = self.stream.read_buf(&mut self.received).await;
            if read.map_err(|e| e.to_string())? == 0 {
                return Err("the connection is closed".to_owned());
            }
        }
    }

    fn buffered_reply(&mut self) -> Result<Option<CallReply>, String> {
        match frames::decode(&mut self.received)? {
            Some(Msg::Reply(reply)) => Ok(Some(reply)),
            Some(_) => Err("not a reply".to_owned()),
            None => Ok(None),
        }
    }
}
