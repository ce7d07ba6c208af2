use axum::http::HeaderValue;

use super::*;

const TOKEN: &str = "0123456789abcdef";

fn verdict(guard: &Guard, headers: &[(header::HeaderName, &str)]) -> Result<(), Refused> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    guard.verdict(&map, None)
}

fn guard() -> Guard {
    Guard::new(Refusals::default()).host("Node.example")
}

#[test]
fn only_hosts_that_nobody_else_can_name_are_served() {
    for host in [
        "127.0.0.1:80",
        "[::1]:80",
        "10.1.2.3",
        "localhost:9",
        "node.EXAMPLE:1",
    ] {
        assert_eq!(verdict(&guard(), &[(header::HOST, host)]), Ok(()), "{host}");
    }
    for host in [
        "evil.example",
        "node.example.evil",
        "",
        "a b",
        "127.0.0.1.evil.example:80",
    ] {
        let refused = verdict(&guard(), &[(header::HOST, host)]);
        assert_eq!(refused, Err(Refused::Host), "{host}");
    }
    assert_eq!(verdict(&guard(), &[]), Err(Refused::Host));
    let two = [(header::HOST, "localhost"), (header::HOST, "localhost")];
    assert_eq!(verdict(&guard(), &two), Err(Refused::Host));
}

#[test]
fn only_pages_of_the_same_host_and_port_may_ask() {
    let asked = |origin: &str| {
        verdict(
            &guard(),
            &[(header::HOST, "localhost:80"), (header::ORIGIN, origin)],
        )
    };
    assert_eq!(asked("http://localhost:80"), Ok(()));
    assert_eq!(asked("https://localhost:80"), Ok(()));
    for origin in [
        "http://localhost",
        "http://localhost:81",
        "null",
        "",
        "localhost:80",
        "http://evil",
    ] {
        assert_eq!(asked(origin), Err(Refused::Origin), "{origin}");
    }
}

#[test]
fn a_unix_socket_serves_no_page_at_all() {
    let local = Guard::local(Refusals::default());
    assert_eq!(verdict(&local, &[(header::HOST, "whatever")]), Ok(()));
    assert_eq!(verdict(&local, &[]), Ok(()));
    let page = [
        (header::HOST, "localhost"),
        (header::ORIGIN, "http://localhost"),
    ];
    assert_eq!(verdict(&local, &page), Err(Refused::Origin));
}

#[test]
fn a_token_is_demanded_whole() {
    let guard = guard().token(Token::new(TOKEN).unwrap());
    let asked = |value: &str| {
        verdict(
            &guard,
            &[(header::HOST, "localhost"), (header::AUTHORIZATION, value)],
        )
    };
    assert_eq!(asked(&format!("Bearer {TOKEN}")), Ok(()));
    assert_eq!(asked(&format!("bearer {TOKEN}")), Ok(()));
    for wrong in [
        "",
        TOKEN,
        "Bearer",
        "Bearer ",
        "Bearer 0123456789abcdee",
        "Basic 0123456789abcdef",
    ] {
        assert_eq!(asked(wrong), Err(Refused::Token), "{wrong}");
    }
    assert_eq!(
        verdict(&guard, &[(header::HOST, "localhost")]),
        Err(Refused::Token)
    );
    let twice = [
        (header::HOST, "localhost"),
        (header::AUTHORIZATION, &*format!("Bearer {TOKEN}")),
        (header::AUTHORIZATION, &*format!("Bearer {TOKEN}")),
    ];
    assert_eq!(verdict(&guard, &twice), Err(Refused::Token));
}

#[test]
fn short_and_odd_texts_are_no_tokens_and_none_is_shown() {
    assert_eq!(
        Token::new("0123456789abcde").unwrap_err(),
        TokenError::Short
    );
    for odd in ["0123456789 abcdef", "0123456789abcdeä"] {
        assert_eq!(Token::new(odd).unwrap_err(), TokenError::Characters);
    }
    assert!(!format!("{:?}", Token::new(TOKEN)).contains("0123"));
}
