use super::*;

#[test]
fn the_first_byte_tells_what_it_is() {
    for (first, format) in [
        (0, Some(Format::Frame)),
        (1, Some(Format::Gossip)),
        (6, Some(Format::Gossip)),
        (7, None),
        (0x3f, None),
        (0x40, Some(Format::GossipCompact)),
        (0x7f, Some(Format::GossipCompact)),
        (0x80, Some(Format::Gossip)),
        (0x81, None),
    ] {
        assert_eq!(Format::of(&[first, 1]), format, "{first:#04x}");
    }
    assert_eq!(Format::of(&[]), None);
}

#[test]
fn what_can_be_nothing_is_refused_unless_it_is_told() {
    assert!(matches!(format_of(&[], None), Err(DecodeError::Empty)));
    assert!(matches!(
        format_of(&[9], None),
        Err(DecodeError::Unknown(9))
    ));
    assert_eq!(
        format_of(&[9], Some(Format::Frame)).ok(),
        Some(Format::Frame)
    );
}

#[test]
fn programs_get_an_object_a_line() {
    let stream = hex::decode("00000000000000041a024a00000000000000000308ffff").unwrap();
    let mut output = Output::new(Vec::new(), true);
    explain(stream.into(), Format::Frame, None, &mut output).unwrap();
    assert_eq!((output.told, output.malformed), (2, 1));
    let text = String::from_utf8(output.into_inner()).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [ready, malformed] = &lines[..] else {
        panic!("{text}");
    };
    assert_eq!(ready["format"], "frame");
    assert_eq!(ready["kind"], "ready");
    assert_eq!((&ready["offset"], &ready["len"]), (&0.into(), &12.into()));
    let control = &ready["fields"][1];
    assert_eq!(
        (&control["number"], &control["name"]),
        (&3.into(), &"control".into())
    );
    assert_eq!(control["fields"][0]["name"], "ready");
    assert_eq!(control["fields"][0]["offset"], 10);
    assert!(ready.get("problem").is_none());
    assert_eq!(malformed["problem"]["offset"], 20);
}
