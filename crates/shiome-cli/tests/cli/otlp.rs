//! Spans of a node, as a collector gets them.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::KeyValue,
    common::v1::any_value::Value, trace::v1::Span,
};
use prost::Message as _;
use rustix::process::Signal;

use super::{
    node::{address, cookie, ends_cleanly, lines_with, start},
    support::error_of,
    support::shiome,
};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";

/// The path and the body of each request that comes there, told before it is answered well.
fn collector() -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            if tell.send(read(&mut reader)).is_err() {
                return;
            }
            reader.get_mut().write_all(ANSWER).unwrap();
        }
    });
    (url, told)
}

fn read(reader: &mut BufReader<TcpStream>) -> (String, Vec<u8>) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let lower = head.to_ascii_lowercase();
    assert!(lower.contains("content-type: application/x-protobuf"));
    let len = lower.split("content-length: ").nth(1).unwrap();
    let len = len.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; len];
    reader.read_exact(&mut body).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    (path.to_owned(), body)
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|one| one.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

#[test]
fn a_node_sends_its_spans_to_a_collector() {
    let (url, requests) = collector();
    let secret = cookie("a secret");
    let a = start("a@127.0.0.1:0", secret.path(), &[]);
    let at = address(&a, "a@127.0.0.1");
    let more = ["--connect", &at, "--otlp", &url];
    let b = start("b@127.0.0.1:0", secret.path(), &more);
    lines_with(&b, &["ready a@127.0.0.1"]);
    ends_cleanly(b, Signal::TERM);
    ends_cleanly(a, Signal::TERM);

    let mut spans: Vec<Span> = Vec::new();
    for (path, body) in requests.try_iter() {
        assert_eq!(path, "/v1/traces");
        let request = ExportTraceServiceRequest::decode(&*body).unwrap();
        for of_resource in request.resource_spans {
            let of = of_resource.resource.unwrap().attributes;
            assert_eq!(text(&of, "service.name"), Some("shiome"));
            assert_eq!(text(&of, "service.instance.id"), Some("b@127.0.0.1:0"));
            let scopes = of_resource.scope_spans.into_iter();
            spans.extend(scopes.flat_map(|scope| scope.spans));
        }
    }
    let named = |name: &str| {
        let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
        assert_eq!(found.len(), 1, "{name}: {spans:#?}");
        found[0]
    };
    let transport = text(&named("dial").attributes, "network.transport");
    assert_eq!(transport, Some("tcp"));
    let peer = text(&named("handshake").attributes, "server.address");
    assert_eq!(peer, Some("a@127.0.0.1"));
}

#[test]
fn a_node_without_its_collector_says_so_once_and_runs_on() {
    let secret = cookie("a secret");
    let a = start("a@127.0.0.1:0", secret.path(), &[]);
    let at = address(&a, "a@127.0.0.1");
    let more = ["--connect", &at, "--otlp", "http://127.0.0.1:1"];
    let b = start("b@127.0.0.1:0", secret.path(), &more);
    lines_with(&b, &["ready a@127.0.0.1"]);
    let told = b.log("spans are not sent");
    assert!(told.contains("WARN"), "{told}");
    ends_cleanly(b, Signal::TERM);
    ends_cleanly(a, Signal::TERM);
}

#[test]
fn a_collector_that_cannot_be_one_is_refused() {
    let args = ["node", "a@127.0.0.1:0", "--otlp", "https://h:4318"];
    let error = error_of(&mut shiome(&args), 2);
    assert!(error.contains("http://HOST:PORT"), "{error}");
}
