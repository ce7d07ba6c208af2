use super::*;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fn request() -> Request<()> {
    Request::get("/cluster?a=b")
        .header(UPGRADE, "WebSocket")
        .header(CONNECTION, "keep-alive, Upgrade")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, KEY)
        .header(SEC_WEBSOCKET_PROTOCOL, "chat, shiome.1")
        .body(())
        .unwrap()
}

fn with(name: HeaderName, value: Option<&'static str>) -> Request<()> {
    let mut request = request();
    match value {
        Some(value) => drop(
            request
                .headers_mut()
                .insert(name, HeaderValue::from_static(value)),
        ),
        None => drop(request.headers_mut().remove(name)),
    }
    request
}

/// RFC 6455 §1.3
#[test]
fn the_answer_is_the_one_of_the_standard() {
    let response = Endpoint::default().answer(&request()).unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let accept = &response.headers()[SEC_WEBSOCKET_ACCEPT];
    assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], SUBPROTOCOL);
    check_response(&response, SUBPROTOCOL, KEY).unwrap();
}

#[test]
fn what_is_no_upgrade_is_told_so() {
    let endpoint = Endpoint::default();
    for (name, value, status) in [
        (UPGRADE, None, 426),
        (UPGRADE, Some("h2c"), 426),
        (CONNECTION, Some("close"), 400),
        (CONNECTION, Some("notupgrade"), 400),
        (SEC_WEBSOCKET_VERSION, Some("8"), 426),
        (SEC_WEBSOCKET_VERSION, None, 426),
        (SEC_WEBSOCKET_KEY, None, 400),
        (SEC_WEBSOCKET_KEY, Some("c2hvcnQ="), 400),
        (SEC_WEBSOCKET_KEY, Some("not base64 at all?"), 400),
    ] {
        let error = endpoint.answer(&with(name.clone(), value)).unwrap_err();
        assert!(
            matches!(&error, UpgradeError::NotAnUpgrade { header: Some(header) } if *header == name),
            "{error}"
        );
        assert_eq!(error.response().status(), status, "{name} {value:?}");
    }
    let mut twice = request();
    let other = HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAA==");
    twice.headers_mut().append(SEC_WEBSOCKET_KEY, other);
    assert!(endpoint.answer(&twice).is_err());
    let mut post = request();
    *post.method_mut() = Method::POST;
    let mut old = request();
    *old.version_mut() = Version::HTTP_10;
    for request in [post, old] {
        let error = endpoint.answer(&request).unwrap_err();
        assert!(matches!(error, UpgradeError::NotAnUpgrade { header: None }));
    }
}

#[test]
fn another_path_is_not_found() {
    let at = |path| Endpoint::default().at(path).answer(&request());
    assert!(at("/cluster?a=b").is_ok());
    for path in ["/", "/cluster", "/cluster?a=c"] {
        let error = at(path).unwrap_err();
        assert!(matches!(error, UpgradeError::Path));
        assert_eq!(error.status(), StatusCode::NOT_FOUND);
    }
}

#[test]
fn pages_of_other_sites_may_not_come() {
    let asks = |origins: &Origins, origin| {
        let endpoint = Endpoint::new(origins.clone());
        match endpoint.answer(&with(ORIGIN, Some(origin))) {
            Ok(_) => true,
            Err(UpgradeError::Origin) => false,
            Err(other) => panic!("{other}"),
        }
    };
    assert!(!asks(&Origins::none(), "https://example.org"));
    assert!(!asks(&Origins::none(), "null"));
    let one = Origins::only(["https://example.org"]);
    assert!(asks(&one, "https://example.org"));
    for other in [
        "http://example.org",
        "https://example.org.evil.net",
        "https://example.org:8443",
        "",
    ] {
        assert!(!asks(&one, other), "{other}");
    }
    let ours = Origins::when(|origin| origin.ends_with(".example.org"));
    assert!(asks(&ours, "https://a.example.org"));

    let mut two = with(ORIGIN, Some("https://example.org"));
    let evil = HeaderValue::from_static("https://evil.net");
    two.headers_mut().append(ORIGIN, evil);
    let error = Endpoint::new(one).answer(&two).unwrap_err();
    assert_eq!(error.status(), StatusCode::FORBIDDEN);
}

#[test]
fn both_must_speak_the_subprotocol() {
    let endpoint = Endpoint::default();
    for value in [None, Some("chat"), Some("shiome.2"), Some("shiome.12")] {
        let error = endpoint
            .answer(&with(SEC_WEBSOCKET_PROTOCOL, value))
            .unwrap_err();
        assert!(matches!(error, UpgradeError::Subprotocol), "{value:?}");
    }
    let other = endpoint.clone().speaking("shiome.2");
    let answer = other.answer(&with(SEC_WEBSOCKET_PROTOCOL, Some("shiome.2")));
    check_response(&answer.unwrap(), "shiome.2", KEY).unwrap();
    assert!(other.answer(&request()).is_err());
    let mut response = endpoint.answer(&request()).unwrap();
    response.headers_mut().remove(SEC_WEBSOCKET_PROTOCOL);
    let error = check_response(&response, SUBPROTOCOL, KEY).unwrap_err();
    assert!(matches!(error, UpgradeError::Subprotocol));
}

#[test]
fn a_client_takes_no_other_answer() {
    let change = |name: HeaderName, value: &'static str| {
        let mut response = Endpoint::default().answer(&request()).unwrap();
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
        check_response(&response, SUBPROTOCOL, KEY)
    };
    assert!(change(UPGRADE, "websocket").is_ok());
    assert!(change(UPGRADE, "h2c").is_err());
    assert!(change(CONNECTION, "close").is_err());
    assert!(change(SEC_WEBSOCKET_ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOp=").is_err());
    assert!(change(SEC_WEBSOCKET_EXTENSIONS, "permessage-deflate").is_err());
    let response = Endpoint::default().answer(&request()).unwrap();
    assert!(
        check_response(&response, SUBPROTOCOL, &key()).is_err(),
        "of another key"
    );
    let refusal = UpgradeError::Path.response();
    let error = check_response(&refusal, SUBPROTOCOL, KEY).unwrap_err();
    assert!(matches!(error, UpgradeError::Refused { status } if status == StatusCode::NOT_FOUND));
}
