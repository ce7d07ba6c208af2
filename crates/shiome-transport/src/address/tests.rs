use proptest::{prelude::*, string::string_regex};

use super::*;

fn parse(text: &str) -> Result<Address, AddressError> {
    text.parse()
}

#[test]
fn each_scheme_has_its_form() {
    for (text, scheme, host, port, path) in [
        (
            "tcp://node.example:4697",
            "tcp",
            Some("node.example"),
            Some(4697),
            "",
        ),
        ("tls://10.0.0.1:0", "tls", Some("10.0.0.1"), Some(0), ""),
        ("tcp://[::1]:65535", "tcp", Some("::1"), Some(65535), ""),
        ("ws://node_1:80/", "ws", Some("node_1"), Some(80), "/"),
        (
            "wss://a.b:443/cluster/x?y=1",
            "wss",
            Some("a.b"),
            Some(443),
            "/cluster/x?y=1",
        ),
        (
            "unix:/run/shiome/a.sock",
            "unix",
            None,
            None,
            "/run/shiome/a.sock",
        ),
        ("mem:a b", "mem", None, None, ""),
        ("mem:1", "mem", None, None, ""),
        ("pipe:some text", "pipe", None, None, ""),
        ("quic://a:1", "quic", Some("a"), Some(1), ""),
        ("quic://a:1/x", "quic", Some("a"), Some(1), "/x"),
    ] {
        let address = parse(text).unwrap();
        assert_eq!(address.to_string(), text);
        assert_eq!(address.scheme(), scheme);
        assert_eq!(
            (address.host(), address.port(), address.path()),
            (host, port, path)
        );
    }
}

#[test]
fn a_host_and_a_port_have_the_scheme_that_is_given() {
    for (text, expected) in [
        ("localhost:4697", "tls://localhost:4697"),
        ("tcp:1", "tls://tcp:1"),
        ("[::1]:2", "tls://[::1]:2"),
        ("127.0.0.1:3", "tls://127.0.0.1:3"),
        ("tcp://a:1", "tcp://a:1"),
    ] {
        let address = Address::parse_with("tls", text).unwrap();
        assert_eq!(address.to_string(), expected);
    }
    assert_eq!(parse("a:1").unwrap().scheme(), "tcp");
}

#[test]
fn equal_addresses_are_equal() {
    assert_eq!(parse("TCP://Node.Example:1"), parse("tcp://node.example:1"));
    assert_eq!(parse("tcp://[0:0::0:1]:1"), parse("tcp://[::1]:1"));
    assert_eq!(parse("tcp://a:0080"), parse("tcp://a:80"));
    assert_eq!(parse("ws://a:1"), parse("ws://a:1/"));
    assert_ne!(parse("ws://a:1/X"), parse("ws://a:1/x"));
    assert_ne!(parse("mem:A"), parse("mem:a"));
    assert_eq!(Address::socket("tcp", "::1", 1), parse("tcp://[::1]:1"));
    assert_eq!(Address::socket("tcp", "a", 1), parse("tcp://a:1"));
}

#[test]
fn another_scheme_and_port_can_take_the_place() {
    let wss = parse("wss://[::1]:443/cluster").unwrap();
    assert_eq!(wss.moved("tls", 443), parse("tls://[::1]:443").unwrap());
    let tcp = parse("tcp://a:0").unwrap();
    assert_eq!(tcp.moved("tcp", 80), parse("tcp://a:80").unwrap());
    assert_eq!(wss.moved("wss", 1), parse("wss://[::1]:1/cluster").unwrap());
}

#[test]
fn what_is_wrong_is_told() {
    use AddressError as E;
    let port = |port: &str| E::Port { port: port.into() };
    let host = |host: &str| E::Host { host: host.into() };
    let form = |scheme: &str| E::Form {
        scheme: scheme.into(),
    };
    let scheme = |scheme: &str| E::Scheme {
        scheme: scheme.into(),
    };
    let path = |scheme: &str, path: &str| E::Path {
        scheme: scheme.into(),
        path: path.into(),
    };
    let name = |scheme: &str, name: &str| E::Name {
        scheme: scheme.into(),
        name: name.into(),
    };
    for (text, error) in [
        ("", host("")),
        ("localhost", port("")),
        ("tcp://localhost", port("")),
        ("tcp://localhost:", port("")),
        ("tcp://localhost:65536", port("65536")),
        ("localhost:65536", port("65536")),
        ("tcp://localhost:+1", port("+1")),
        ("tcp://:1", host("")),
        ("tcp://a b:1", host("a b")),
        ("tcp://user@a:1", host("user@a")),
        ("tcp://::1:1", host("::1")),
        ("tcp://[::1:1", host("[::1")),
        ("tcp://[::1]", port("")),
        ("tcp://[fe80::1%eth0]:1", host("[fe80::1%eth0]")),
        ("tcp://münchen:1", host("münchen")),
        ("tcp://a:1/x", path("tcp", "/x")),
        ("ws://a:1/a b", path("ws", "/a b")),
        ("ws://a:1/#x", path("ws", "/#x")),
        ("ws://a:1/\r\nHost: b", path("ws", "/\r\nHost: b")),
        ("unix:a.sock", path("unix", "a.sock")),
        ("unix:", path("unix", "")),
        ("unix:/a\0b", path("unix", "/a\0b")),
        ("mem:", name("mem", "")),
        ("mem:a\nb", name("mem", "a\nb")),
        ("mem://a:1", form("mem")),
        ("tcp:a", form("tcp")),
        ("1x://a:1", scheme("1x")),
        ("a_b://a:1", scheme("a_b")),
        ("://a:1", scheme("")),
    ] {
        assert_eq!(parse(text), Err(error), "{text}");
    }
    let long = format!("mem:{}", "x".repeat(252));
    assert_eq!(parse(&long), Err(E::TooLong { len: 256 }));
    assert!(parse(&long[..255]).is_ok());
    let longer_when_complete = format!("ws://{}:1", "x".repeat(248));
    assert_eq!(longer_when_complete.len(), 255);
    assert_eq!(parse(&longer_when_complete), Err(E::TooLong { len: 256 }));
    let bare = "x".repeat(250) + ":1";
    assert_eq!(parse(&bare), Err(E::TooLong { len: 258 }));
}

fn any_address() -> impl Strategy<Value = String> {
    let host = "[a-zA-Z0-9][a-zA-Z0-9._-]{0,20}";
    let ipv6 = any::<[u16; 8]>().prop_map(|parts| format!("[{}]", Ipv6Addr::from(parts)));
    let host = prop_oneof![string_regex(host).unwrap(), ipv6];
    let path = string_regex("(/[a-z0-9?=&%.]{0,9}){0,3}").unwrap();
    prop_oneof![
        ("tcp|TLS", host.clone(), any::<u16>()).prop_map(|(s, h, p)| format!("{s}://{h}:{p}")),
        ("ws|wss|other", host, any::<u16>(), path)
            .prop_map(|(s, h, p, path)| format!("{s}://{h}:{p}{path}")),
        "unix:/[a-z/. ]{0,30}",
        "(mem|own):[a-zA-Zé ]{1,30}",
    ]
}

proptest! {
    #[test]
    fn an_address_is_printed_as_it_is_read(text in any_address()) {
        let address = parse(&text).unwrap();
        let printed = address.to_string();
        prop_assert_eq!(parse(&printed).unwrap(), address.clone());
        prop_assert_eq!(format!("{}:{}", address.scheme(), address.rest()), printed);
    }

    #[test]
    fn any_text_is_an_address_or_an_error(text in ".{0,300}") {
        if let Ok(address) = parse(&text) {
            prop_assert!(address.to_string().len() <= MAX_ADDRESS_LEN);
            prop_assert_eq!(parse(&address.to_string()).unwrap(), address);
        }
    }

    #[test]
    fn any_text_with_the_marks_of_an_address_is_one_or_an_error(
        text in "(tcp|tls|ws|wss|unix|mem|x)?:?[/]{0,3}[\\[\\]:a1.%/@#-]{0,20}:?[0-9]{0,6}",
    ) {
        if let Ok(address) = parse(&text) {
            prop_assert_eq!(parse(&address.to_string()).unwrap(), address);
        }
    }
}
