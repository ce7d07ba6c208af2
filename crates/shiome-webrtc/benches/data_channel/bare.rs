//! A loop on the library alone: one task for each end, that waits for a datagram or the time.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use str0m::{
    Candidate, Event, Input, Output, Rtc,
    channel::ChannelId,
    net::{Protocol, Receive},
};
use tokio::{net::UdpSocket, time::timeout_at};

/// As the bus has it.
const BUFFER: usize = 64 * 1024;

/// One end.
struct End {
    rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    channel: Option<ChannelId>,
    arrived: VecDeque<usize>,
    timeout: Instant,
    buf: Vec<u8>,
}

impl End {
    async fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        let builder = Rtc::builder().clear_codecs();
        let mut rtc = builder
            .set_sctp_max_buffered_amount(BUFFER)
            .build(Instant::now());
        rtc.add_local_candidate(Candidate::host(local, "udp").unwrap());
        Self {
            rtc,
            socket,
            local,
            channel: None,
            arrived: VecDeque::new(),
            timeout: Instant::now(),
            buf: vec![0; 2000],
        }
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => {
                    self.timeout = at;
                    return;
                }
                Output::Transmit(transmit) => {
                    let _ = self
                        .socket
                        .try_send_to(&transmit.contents, transmit.destination);
                }
                Output::Event(Event::ChannelOpen(id, _)) => self.channel = Some(id),
                Output::Event(Event::ChannelData(data)) => self.arrived.push_back(data.data.len()),
                Output::Event(_) => {}
            }
        }
    }

    fn receive(&mut self, len: usize, source: SocketAddr) {
        let receive = Receive::new(Protocol::Udp, source, self.local, &self.buf[..len]);
        if let Ok(receive) = receive {
            let input = Input::Receive(Instant::now(), receive);
            self.rtc.handle_input(input).unwrap();
            self.drain();
        }
    }

    /// Waits for what comes next.
    async fn step(&mut self) {
        let received = timeout_at(self.timeout.into(), self.socket.recv_from(&mut self.buf)).await;
        match received {
            Ok(Ok((len, source))) => {
                self.receive(len, source);
                while let Ok((len, source)) = self.socket.try_recv_from(&mut self.buf) {
                    self.receive(len, source);
                }
            }
            _ => {
                self.rtc
                    .handle_input(Input::Timeout(Instant::now()))
                    .unwrap();
                self.drain();
            }
        }
    }

    fn write(&mut self, message: &[u8]) -> bool {
        let Some(mut channel) = self.channel.and_then(|id| self.rtc.channel(id)) else {
            return false;
        };
        let written = channel.write(true, message).unwrap();
        self.drain();
        written
    }
}

async fn open() -> [End; 2] {
    let (mut a, mut b) = (End::new().await, End::new().await);
    let mut change = a.rtc.sdp_api();
    change.add_channel("bare".to_owned());
    let (offer, pending) = change.apply().unwrap();
    let answer = b.rtc.sdp_api().accept_offer(offer).unwrap();
    a.rtc.sdp_api().accept_answer(pending, answer).unwrap();
    a.drain();
    b.drain();
    while a.channel.is_none() || b.channel.is_none() {
        tokio::select! { () = a.step() => {}, () = b.step() => {} }
    }
    [a, b]
}

/// Times of round trips.
pub(super) async fn round_trips(len: usize, count: usize) -> Vec<Duration> {
    let [mut a, mut b] = open().await;
    let message = vec![7; len];
    let reflected = message.clone();
    let other = tokio::spawn(async move {
        loop {
            while b.arrived.pop_front().is_some() {
                b.write(&reflected);
            }
            b.step().await;
        }
    });
    let trips = tokio::spawn(async move {
        let mut times = Vec::new();
        for _ in 0..count {
            let start = Instant::now();
            assert!(a.write(&message));
            while a.arrived.pop_front().is_none() {
                a.step().await;
            }
            times.push(start.elapsed());
        }
        times
    });
    let times = trips.await.unwrap();
    other.abort();
    times
}

/// Megabytes per second.
pub(super) async fn flood(len: usize, time: Duration) -> f64 {
    let [mut a, mut b] = open().await;
    let message = vec![7; len];
    let sender = tokio::spawn(async move {
        loop {
            while a.write(&message) {}
            a.step().await;
        }
    });
    let receiver = tokio::spawn(async move {
        let (start, mut bytes) = (Instant::now(), 0);
        while start.elapsed() < time {
            b.step().await;
            bytes += b.arrived.drain(..).sum::<usize>();
        }
        bytes as f64 / start.elapsed().as_secs_f64() / 1e6
    });
    let rate = receiver.await.unwrap();
    sender.abort();
    rate
}
