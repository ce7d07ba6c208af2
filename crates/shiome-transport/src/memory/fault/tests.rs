use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout},
};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn open(conditions: Conditions) -> (Link, Link, Faults) {
    link("a", "b", conditions)
}

async fn read(link: &mut Link, len: usize) -> Vec<u8> {
    let mut read = vec![0; len];
    link.reader.read_exact(&mut read).await.unwrap();
    read
}

async fn is_silent(link: &mut Link) -> bool {
    timeout(SECOND * 3600, link.reader.read_u8()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn bytes_take_the_time_of_the_way() {
    let (mut here, mut there, _) = open(Conditions::default().with_latency(SECOND));
    let began = Instant::now();
    here.writer.write_all(b"one").await.unwrap();
    tokio::time::advance(SECOND / 4).await;
    here.writer.write_all(b"two").await.unwrap();
    here.writer.shutdown().await.unwrap();
    assert_eq!(read(&mut there, 3).await, b"one");
    assert_eq!(began.elapsed(), SECOND);
    assert_eq!(read(&mut there, 3).await, b"two");
    assert_eq!(there.reader.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(began.elapsed(), SECOND * 5 / 4);
}

#[tokio::test(start_paused = true)]
async fn a_wire_passes_so_much_in_a_second() {
    let (mut here, mut there, _) = open(Conditions::default().with_bandwidth(2048));
    let began = Instant::now();
    here.writer.write_all(&[7; 20 * 1024]).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO, "there is room");
    read(&mut there, 1024).await;
    assert_eq!(began.elapsed(), SECOND / 2, "it comes little by little");
    read(&mut there, 19 * 1024).await;
    assert_eq!(began.elapsed(), SECOND * 10);
}

#[tokio::test(start_paused = true)]
async fn the_writer_waits_when_too_much_is_on_the_way() {
    let conditions = Conditions::default().with_latency(SECOND).with_capacity(10);
    let (mut here, mut there, _) = open(conditions);
    assert_eq!(here.writer.write(&[1; 25]).await.unwrap(), 10);
    assert!(timeout(SECOND * 60, here.writer.write_u8(2)).await.is_err());
    let (_, sent) = tokio::join!(read(&mut there, 10), here.writer.write(&[3; 25]));
    assert_eq!(sent.unwrap(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_direction_goes_on_later_and_the_other_does_not_care() {
    let (mut here, mut there, faults) = open(Conditions::default());
    faults.stall(Direction::FromDialler);
    here.writer.write_all(b"late").await.unwrap();
    here.writer.shutdown().await.unwrap();
    there.writer.write_all(b"in time").await.unwrap();
    assert_eq!(read(&mut here, 7).await, b"in time");
    assert!(is_silent(&mut there).await);
    let (read, ()) = tokio::join!(read(&mut there, 4), async {
        faults.resume(Direction::FromDialler);
    });
    assert_eq!(read, b"late");
    assert_eq!(there.reader.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_link_is_cut_at_the_byte() {
    let (mut here, mut there, faults) = open(Conditions::default());
    faults.cut_at(Direction::FromDialler, 5);
    here.writer.write_all(b"123").await.unwrap();
    assert_eq!(read(&mut there, 3).await, b"123");
    here.writer.write_all(b"456").await.unwrap();
    let mut got = Vec::new();
    let error = there.reader.read_to_end(&mut got).await.unwrap_err();
    assert_eq!(
        (&*got, error.kind()),
        (&b"45"[..], io::ErrorKind::ConnectionReset)
    );
    let error = here.reader.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert!(here.writer.write_all(b"7").await.is_err());
    assert!(there.writer.write_all(b"7").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_reset_wakes_those_who_wait() {
    let (mut here, mut there, faults) = open(Conditions::default().with_capacity(1));
    here.writer.write_u8(1).await.unwrap();
    let (writes, reads, ()) = tokio::join!(here.writer.write_u8(2), here.reader.read_u8(), async {
        faults.reset()
    },);
    assert!(writes.is_err() && reads.is_err());
    assert!(
        there.reader.read_u8().await.is_err(),
        "what was on the way is lost"
    );
}

#[tokio::test(start_paused = true)]
async fn one_direction_can_end_from_outside() {
    let (mut here, mut there, faults) = open(Conditions::default());
    here.writer.write_all(b"last").await.unwrap();
    faults.end(Direction::FromDialler);
    let mut got = Vec::new();
    there.reader.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"last");
    assert!(here.writer.write_all(b"more").await.is_err());
    there.writer.write_all(b"still").await.unwrap();
    assert_eq!(read(&mut here, 5).await, b"still");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_dropped_ends_the_link() {
    let (here, mut there, faults) = open(Conditions::default());
    assert!(faults.is_alive());
    drop(here);
    assert_eq!(there.reader.read(&mut [0]).await.unwrap(), 0);
    let error = there.writer.write_all(b"?").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    drop(there);
    assert!(!faults.is_alive());
    faults.reset();
}

#[tokio::test(start_paused = true)]
async fn links_overtake_each_other_and_bytes_of_one_do_not() {
    let far = open(Conditions::default().with_latency(SECOND * 2));
    let near = open(Conditions::default().with_latency(SECOND));
    let (mut far_here, mut far_there, faults) = far;
    let (mut near_here, mut near_there, _) = near;
    let began = Instant::now();
    far_here.writer.write_all(b"1").await.unwrap();
    near_here.writer.write_all(b"2").await.unwrap();
    faults.set(Direction::FromDialler, Conditions::default());
    far_here.writer.write_all(b"3").await.unwrap();
    read(&mut near_there, 1).await;
    assert_eq!(began.elapsed(), SECOND);
    assert_eq!(read(&mut far_there, 2).await, b"13");
    assert_eq!(began.elapsed(), SECOND * 2);
}
