//! Frames written as JSON, members at their default left out.

use std::io::Write;

use super::super::{Encoding, Frame, Goodbye, Hello, Presence, Refused, Welcome, parts};
use crate::{Envelope, Level, Priority};

pub(in super::super) fn encode(frame: &Frame, out: &mut Vec<u8>) {
    let mut object = Object::new(out, frame.kind());
    match frame {
        Frame::Hello(hello) => write_hello(&mut object, hello),
        Frame::Welcome(welcome) => write_welcome(&mut object, welcome),
        Frame::Refused(refused) => write_refused(&mut object, refused),
        Frame::Envelope(envelope) => write_envelope(&mut object, envelope),
        Frame::Ack { received } => object.number("received", *received),
        Frame::Ping { nonce } | Frame::Pong { nonce } => object.number("nonce", *nonce),
        Frame::Presence(presence) => write_presence(&mut object, presence),
        Frame::Goodbye(goodbye) => write_goodbye(&mut object, goodbye),
    }
    object.end();
}

pub(in super::super) fn encode_envelope(envelope: &Envelope, out: &mut Vec<u8>) {
    let mut object = Object::new(out, "envelope");
    write_envelope(&mut object, envelope);
    object.end();
}

fn write_envelope(object: &mut Object<'_>, envelope: &Envelope) {
    object.shown("id", envelope.id);
    object.plain("from", envelope.from.as_str());
    object.plain("to", envelope.to.as_str());
    object.text("name", envelope.intent.name().as_str());
    object.json("payload", envelope.intent.payload().text());
    object.number("sent_at", envelope.sent_at);
    if let Some(id) = envelope.reply_to {
        object.shown("reply_to", id);
    }
    if envelope.hops > 0 {
        object.number("hops", envelope.hops.into());
    }
    if envelope.level != Level::Accepted {
        object.plain("level", parts::level_name(envelope.level));
    }
    if envelope.priority != Priority::Normal {
        object.plain("priority", parts::priority_name(envelope.priority));
    }
}

fn write_hello(object: &mut Object<'_>, hello: &Hello) {
    object.number("version", hello.version);
    object.plain("id", hello.id.as_str());
    object.number("incarnation", hello.incarnation.get());
    if let Some(token) = &hello.token {
        object.text("token", token.reveal());
    }
    if let Some(reclaim) = &hello.reclaim {
        object.text("reclaim", reclaim.reveal());
    }
    if let Some(received) = hello.received {
        object.number("received", received);
    }
    object.array("encodings", &hello.encodings, |out, encoding: &Encoding| {
        quote(out, encoding.as_str());
    });
    object.number("max_message", hello.max_message);
    object.number("heartbeat_ms", hello.heartbeat_ms);
}

fn write_welcome(object: &mut Object<'_>, welcome: &Welcome) {
    object.number("version", welcome.version);
    object.plain("id", welcome.id.as_str());
    object.number("incarnation", welcome.incarnation.get());
    object.flag("relay", welcome.relay);
    object.flag("gateway", welcome.gateway);
    object.plain("encoding", welcome.encoding.as_str());
    object.text("reclaim", welcome.reclaim.reveal());
    object.flag("resumed", welcome.resumed);
    object.number("received", welcome.received);
    object.number("max_message", welcome.max_message);
    object.number("heartbeat_ms", welcome.heartbeat_ms);
    object.number("grace_ms", welcome.grace_ms);
}

fn write_refused(object: &mut Object<'_>, refused: &Refused) {
    object.plain("reason", refused.reason.as_str());
    if let Some(id) = &refused.id {
        object.plain("id", id.as_str());
    }
    if let Some(retry_ms) = refused.retry_ms {
        object.number("retry_ms", retry_ms);
    }
    object.detail(&refused.detail);
}

fn write_presence(object: &mut Object<'_>, presence: &Presence) {
    object.flag("all", presence.all);
    object.flag("partial", presence.partial);
    object.flag("more", presence.more);
    object.array("present", &presence.present, |out, (id, incarnation)| {
        out.push(b'[');
        quote(out, id.as_str());
        put(out, format_args!(",{}]", incarnation.get()));
    });
    object.array("absent", &presence.absent, |out, id| {
        quote(out, id.as_str());
    });
}

fn write_goodbye(object: &mut Object<'_>, goodbye: &Goodbye) {
    object.plain("reason", goodbye.reason.as_str());
    object.detail(&goodbye.detail);
}

/// An object that is being written.
struct Object<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Object<'a> {
    fn new(out: &'a mut Vec<u8>, kind: &str) -> Self {
        out.extend_from_slice(b"{\"type\":");
        quote(out, kind);
        Self { out }
    }

    fn end(self) {
        self.out.push(b'}');
    }

    fn member(&mut self, name: &str) -> &mut Vec<u8> {
        self.out.push(b',');
        quote(self.out, name);
        self.out.push(b':');
        self.out
    }

    fn number(&mut self, name: &str, number: u64) {
        put(self.member(name), format_args!("{number}"));
    }

    /// A text without anything that is escaped.
    fn plain(&mut self, name: &str, text: &str) {
        quote(self.member(name), text);
    }

    fn shown(&mut self, name: &str, value: impl std::fmt::Display) {
        put(self.member(name), format_args!("\"{value}\""));
    }

    fn text(&mut self, name: &str, text: &str) {
        let written = serde_json::to_writer(self.member(name), text);
        written.expect("a string has a JSON form, and a Vec takes it");
    }

    fn json(&mut self, name: &str, json: &str) {
        self.member(name).extend_from_slice(json.as_bytes());
    }

    /// Left out when false.
    fn flag(&mut self, name: &str, set: bool) {
        if set {
            self.json(name, "true");
        }
    }

    /// Left out when empty.
    fn detail(&mut self, detail: &str) {
        if !detail.is_empty() {
            self.text("detail", detail);
        }
    }

    /// Left out when empty.
    fn array<T>(&mut self, name: &str, items: &[T], mut item: impl FnMut(&mut Vec<u8>, &T)) {
        if items.is_empty() {
            return;
        }
        let out = self.member(name);
        for (at, value) in items.iter().enumerate() {
            out.push(if at == 0 { b'[' } else { b',' });
            item(out, value);
        }
        out.push(b']');
    }
}

/// Quotes a text without anything that is escaped.
fn quote(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

fn put(out: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("a Vec takes everything");
}
