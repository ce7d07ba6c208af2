use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::*;

/// Ready.
const FRAME: &str = "00000000000000041a024a00";

fn frame() -> Vec<u8> {
    hex::decode(FRAME).unwrap()
}

fn join() -> Vec<u8> {
    hex::decode("04000102030405060708090a0b0c0d0e0f047f000001eb18").unwrap()
}

/// A packet on Ethernet, from 10.0.0.1:1000 to 10.0.0.2:`port`.
fn tcp(port: u16, seq: u32, syn: bool, payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([1; 6], [2; 6])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(1000, port, seq, 1024);
    let builder = if syn { builder.syn() } else { builder };
    let mut packet = Vec::new();
    builder.write(&mut packet, payload).unwrap();
    packet
}

fn udp(payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::ethernet2([1; 6], [2; 6])
        .ipv6([1; 16], [2; 16], 64)
        .udp(4697, 4697)
        .write(&mut packet, payload)
        .unwrap();
    packet
}

fn pcap(link: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    file.extend([2, 0, 4, 0]);
    file.extend([0; 8]);
    file.extend(65_535_u32.to_le_bytes());
    file.extend(link.to_le_bytes());
    for (index, packet) in packets.iter().enumerate() {
        let len = (packet.len() as u32).to_le_bytes();
        file.extend((1_700_000_000 + index as u32).to_le_bytes());
        file.extend(250_000_u32.to_le_bytes());
        file.extend(len);
        file.extend(len);
        file.extend(packet);
    }
    file
}

fn pcapng(packets: &[Vec<u8>]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let padding = vec![0; body.len().wrapping_neg() % 4];
        let len = ((12 + body.len() + padding.len()) as u32).to_le_bytes();
        [&kind.to_le_bytes(), &len, body, &padding, &len].concat()
    };
    let mut section = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    section.extend([1, 0, 0, 0]);
    section.extend([0xff; 8]);
    let mut file = block(0x0a0d_0d0a, &section);
    file.extend(block(1, &[1, 0, 0, 0, 0xff, 0xff, 0, 0]));
    for packet in packets {
        let len = (packet.len() as u32).to_le_bytes();
        let micros = 1_700_000_000_250_000_u64;
        let mut body = vec![0; 4];
        body.extend(((micros >> 32) as u32).to_le_bytes());
        body.extend((micros as u32).to_le_bytes());
        body.extend(len);
        body.extend(len);
        body.extend(packet);
        file.extend(block(6, &body));
    }
    file
}

/// What is told of a capture: kinds and notes, and how many were malformed.
fn told(file: Vec<u8>, ports: &[u16]) -> (Vec<serde_json::Value>, u64) {
    let args = Args {
        hex: Vec::new(),
        file: None,
        format: None,
        ports: ports.to_vec(),
        cookie_file: None,
        gossip_cluster: String::new(),
        json: true,
    };
    let mut output = Output::new(Vec::new(), true);
    explain(
        Box::new(io::Cursor::new(file)),
        Path::new("capture"),
        &args,
        None,
        &mut output,
    )
    .unwrap();
    let malformed = output.malformed;
    let text = String::from_utf8(output.into_inner()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (lines.collect(), malformed)
}

/// The kind or the note of each line.
fn words(file: Vec<u8>) -> Vec<String> {
    let (lines, _) = told(file, &[]);
    let word = |line: &serde_json::Value| {
        let word = line.get("kind").or_else(|| line.get("note"));
        word.unwrap().as_str().unwrap().to_owned()
    };
    lines.iter().map(word).collect()
}

const ETHERNET: u32 = 1;

#[test]
fn frames_and_datagrams_are_found_in_either_kind_of_file() {
    let stream = [frame(), frame()].concat();
    let packets = [
        tcp(9, 99, true, b""),
        // In three pieces, of which two are swapped and one comes twice.
        tcp(9, 110, false, &stream[10..]),
        tcp(9, 100, false, &stream[..5]),
        udp(&join()),
        tcp(9, 100, false, &stream[..5]),
        tcp(9, 105, false, &stream[5..10]),
    ];
    for file in [pcap(ETHERNET, &packets), pcapng(&packets)] {
        let (lines, malformed) = told(file, &[]);
        assert_eq!(malformed, 0);
        let [join, first, second] = &lines[..] else {
            panic!("{lines:?}");
        };
        assert_eq!(
            (&join["kind"], &join["format"]),
            (&"join".into(), &"gossip".into())
        );
        assert_eq!(join["source"]["protocol"], "udp");
        for (frame, offset) in [(first, 0), (second, 12)] {
            assert_eq!(frame["kind"], "ready");
            assert_eq!(frame["offset"], offset);
            assert_eq!(frame["source"]["from"], "10.0.0.1:1000");
            assert_eq!(frame["source"]["to"], "10.0.0.2:9");
            let time = frame["source"]["time"].as_str().unwrap();
            assert!(
                time.starts_with("17000000") && time.ends_with(".250000000"),
                "{time}"
            );
        }
    }
}

#[test]
fn packets_of_other_links_are_read() {
    let packet = tcp(9, 99, true, b"");
    let packets = [packet, tcp(9, 100, false, &frame())];
    let behind = |head: &[u8]| packets.clone().map(|packet| [head, &packet[14..]].concat());
    let mut cooked = [0; 16];
    cooked[14] = 8;
    let mut cooked2 = [0; 20];
    cooked2[0] = 8;
    for (link, packets) in [
        (101, behind(&[])),
        (0, behind(&[2, 0, 0, 0])),
        (113, behind(&cooked)),
        (276, behind(&cooked2)),
    ] {
        assert_eq!(words(pcap(link, &packets)), ["ready"], "{link}");
    }
    let unknown = words(pcap(147, &behind(&[])));
    assert_eq!(
        unknown,
        ["2 packets are of a link or a protocol that is not understood"]
    );
}

#[test]
fn a_gap_is_told_and_frames_go_on_behind_it() {
    // The second frame of four is not captured in full.
    let stream = frame().repeat(4);
    let packets = [
        tcp(9, 99, true, b""),
        tcp(9, 100, false, &stream[..15]),
        tcp(9, 120, false, &stream[20..]),
    ];
    let expected = [
        "ready",
        "5 bytes at byte 15 were not captured, inside the frame at byte 12",
        "frames are read from byte 24",
        "ready",
        "ready",
    ];
    assert_eq!(words(pcap(ETHERNET, &packets)), expected);
}

#[test]
fn a_capture_that_begins_and_ends_inside_of_frames_says_so() {
    let stream = frame().repeat(3);
    let packets = [tcp(9, 7, false, &stream[5..30])];
    let expected = [
        "the capture begins inside this connection",
        "frames are read from byte 7",
        "ready",
        "the capture ends 6 bytes into the frame at byte 19",
    ];
    assert_eq!(words(pcap(ETHERNET, &packets)), expected);

    let packets = [tcp(9, 7, false, b"something else")];
    let expected = [
        "the capture begins inside this connection",
        "no frame was found in the last 14 bytes",
    ];
    assert_eq!(words(pcap(ETHERNET, &packets)), expected);
}

#[test]
fn what_is_not_of_shiome_is_told_once_and_is_not_wrong() {
    for (bytes, word) in [
        (&[0x16, 3, 1, 2, 0][..], "TLS"),
        (b"GET / HTTP/1.1", "WebSocket"),
        (b"SSH-2.0", "no frames"),
    ] {
        let packets = [
            tcp(9, 99, true, b""),
            tcp(9, 100, false, bytes),
            tcp(9, 100 + bytes.len() as u32, false, &frame()),
            tcp(9, 9000, false, &frame()),
        ];
        let told = words(pcap(ETHERNET, &packets));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(word), "{told:?}");
    }
    let packets = [udp(b"\xffstranger"), udp(b"\xffagain")];
    assert_eq!(
        words(pcap(ETHERNET, &packets)),
        ["2 datagrams are no gossip"]
    );
}

#[test]
fn addresses_that_are_used_again_are_another_connection() {
    let packets = [
        tcp(9, 99, true, b""),
        tcp(9, 100, false, &frame()[..6]),
        tcp(9, 77_000, true, b""),
        tcp(9, 77_001, false, &frame()),
    ];
    let expected = ["the capture ends 6 bytes into the frame at byte 0", "ready"];
    assert_eq!(words(pcap(ETHERNET, &packets)), expected);
}

#[test]
fn ports_choose_what_is_told() {
    let packets = [
        tcp(9, 99, true, b""),
        tcp(9, 100, false, &frame()),
        udp(&join()),
        tcp(8, 99, true, b""),
        tcp(8, 100, false, b"stranger"),
    ];
    let file = pcap(ETHERNET, &packets);
    let count = |ports: &[u16]| told(file.clone(), ports).0.len();
    assert_eq!(
        [count(&[]), count(&[9]), count(&[9, 4697]), count(&[5])],
        [3, 1, 2, 0]
    );
}

#[test]
fn what_is_malformed_in_a_capture_is_counted() {
    let packets = [
        udp(&join()[..20]),
        tcp(9, 99, true, b""),
        tcp(9, 100, false, &[0, 0, 0, 0, 0, 0, 0, 1, 0xff]),
    ];
    let (lines, malformed) = told(pcap(ETHERNET, &packets), &[]);
    assert_eq!((lines.len(), malformed), (2, 2));
    assert_eq!(lines[0]["problem"]["offset"], 18);
}

#[test]
fn a_file_that_is_cut_or_broken_is_read_as_far_as_it_goes() {
    let packets = [tcp(9, 99, true, b""), tcp(9, 100, false, &frame())];
    let file = pcap(ETHERNET, &packets);
    let cut = words(file[..file.len() - 1].to_vec());
    assert_eq!(cut, ["the capture ends inside a packet"]);

    let args = Args {
        hex: Vec::new(),
        file: None,
        format: None,
        ports: Vec::new(),
        cookie_file: None,
        gossip_cluster: String::new(),
        json: true,
    };
    for broken in [file[..10].to_vec(), [&file[..], &[0xff; 64]].concat()] {
        let mut output = Output::new(Vec::new(), true);
        let file = Box::new(io::Cursor::new(broken));
        let result = explain(file, Path::new("broken"), &args, None, &mut output);
        assert!(
            matches!(result, Err(Error::Decode(DecodeError::Capture { .. })))
                || !output.into_inner().is_empty()
        );
    }
}

proptest! {
    // Each has a buffer of a megabyte.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_file_is_read_to_its_end_or_refused(
        is_ng in any::<bool>(),
        link in prop::sample::select(vec![0, 1, 101, 113, 276, 147]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
    ) {
        let packets = [
            tcp(9, 99, true, b""),
            tcp(9, 112, false, &frame()),
            udp(&join()),
            tcp(9, 100, false, &frame()),
        ];
        let mut file = if is_ng { pcapng(&packets) } else { pcap(link, &packets) };
        for (at, value) in changes {
            // The kind of the file stays.
            let at = 4 + at.index(file.len() - 4);
            file[at] = value;
        }
        let args = Args {
            hex: Vec::new(),
            file: None,
            format: None,
            ports: Vec::new(),
            cookie_file: None,
            gossip_cluster: String::new(),
            json: true,
        };
        let mut output = Output::new(Vec::new(), true);
        let file = Box::new(io::Cursor::new(file));
        let read = explain(file, Path::new("capture"), &args, None, &mut output);
        let refused = matches!(read, Err(Error::Decode(DecodeError::Capture { .. })));
        prop_assert!(read.is_ok() || refused);
        for line in String::from_utf8(output.into_inner()).unwrap().lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
}
