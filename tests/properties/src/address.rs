use std::{net::Ipv6Addr, str};

use shiome_transport::{Address, AddressError, MAX_ADDRESS_LEN, MAX_SCHEME_LEN};

use crate::memory::within;

/// Memory for reading an address, in bytes: some texts of its length.
const MEMORY: usize = 8 * MAX_ADDRESS_LEN;

/// Any text: an address that is printed as it is read, in one spelling, with nothing in it that ends a line of HTTP; or
/// an error.
pub fn address(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    for scheme in ["tcp", "tls", "wss", "other", "mem"] {
        let read = within(MEMORY, || Address::parse_with(scheme, text));
        if text.len() > MAX_ADDRESS_LEN {
            let len = text.len();
            assert_eq!(read, Err(AddressError::TooLong { len }));
        } else if let Ok(address) = read {
            check(&address);
        }
    }
    assert_eq!(text.parse::<Address>(), Address::parse_with("tcp", text));
}

fn check(address: &Address) {
    let text = address.to_string();
    assert!(text.len() <= MAX_ADDRESS_LEN);
    // With a scheme in front, what would be added to a bare host says nothing.
    for scheme in ["tcp", "wss"] {
        assert_eq!(Address::parse_with(scheme, &text).as_ref(), Ok(address));
    }
    let scheme = address.scheme();
    assert!(!scheme.is_empty() && scheme.len() <= MAX_SCHEME_LEN);
    assert_eq!(scheme, scheme.to_ascii_lowercase());
    assert_eq!(text, format!("{scheme}:{}", address.rest()));
    match (address.host(), address.port()) {
        (Some(host), Some(port)) => check_socket(address, host, port),
        (None, None) => {
            assert!(address.path().is_empty() || scheme == "unix");
            assert!(!matches!(scheme, "tcp" | "tls" | "ws" | "wss"));
        }
        odd => panic!("{odd:?}"),
    }
}

/// An address with a host.
fn check_socket(address: &Address, host: &str, port: u16) {
    let (scheme, path) = (address.scheme(), address.path());
    let shown = match host.contains(':') {
        true => {
            host.parse::<Ipv6Addr>().expect("an IPv6 address");
            format!("[{host}]")
        }
        false => host.to_owned(),
    };
    assert_eq!(address.rest(), format!("//{shown}:{port}{path}"));
    assert!(address.rest().bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!host.is_empty() && host == host.to_ascii_lowercase());
    assert!(path.is_empty() || path.starts_with('/'));
    if path.is_empty() {
        assert_eq!(Address::socket(scheme, host, port).as_ref(), Ok(address));
    }
}
