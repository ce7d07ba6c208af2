//! What can be checked without a peer: names, types, defaults, conversions and generated code.

use std::error::Error;
use std::io;

use ractor::message::{BoxedDowncastErr, SerializedMessage};
use ractor::{Message, MessagingErr, RpcReplyPort};
use ractor_cluster::node::{NodeConnectionMode, SessionCheckReply};
use ractor_cluster::{
    BytesConvertable, ClientConnectErr, IncomingEncryptionMode, NodeId, NodeServerMessage,
};

use crate::actors::{Private, Reading, TextMessage, Wire};
use crate::report::{Checked, Report};
use crate::shapes;
use crate::tls::{from_hex, to_hex};

pub fn check(report: &mut Report) -> Checked {
    report.scope("values");
    shapes::check();
    constants(report)?;
    errors(report)?;
    report.scope("conversions");
    conversions(report)?;
    report.scope("derive");
    casts(report)?;
    calls(report)?;
    malformed(report)?;
    private(report)
}

fn constants(report: &mut Report) -> Checked {
    let limit: u64 = ractor_cluster::DEFAULT_MAX_INBOUND_FRAME_SIZE;
    report.same("default frame limit", limit, 16 * 1024 * 1024)?;
    report.same(
        "by path",
        ractor_cluster::node::DEFAULT_MAX_INBOUND_FRAME_SIZE,
        limit,
    )?;
    report.same("node id", NodeId::MAX, u64::MAX)?;
    let mode = NodeConnectionMode::default();
    let copy = mode;
    report.same(
        "default mode",
        format!("{mode:?} {copy:?}"),
        "Transitive Transitive".into(),
    )?;
    report.same(
        "other mode",
        format!("{:?}", NodeConnectionMode::Isolated),
        "Isolated".into(),
    )?;
    let raw = IncomingEncryptionMode::Raw;
    report.holds("encryption", format!("{:?}", raw.clone()).contains("Raw"))?;
    let replies = [
        SessionCheckReply::NoOtherConnection,
        SessionCheckReply::OtherConnectionContinues,
        SessionCheckReply::ThisConnectionContinues,
        SessionCheckReply::DuplicateConnection,
    ];
    let expected = "[NoOtherConnection, OtherConnectionContinues, ThisConnectionContinues, \
                    DuplicateConnection]";
    report.same("check replies", format!("{replies:?}"), expected.into())
}

fn errors(report: &mut Report) -> Checked {
    let socket: ClientConnectErr = io::Error::other("from a socket").into();
    report.holds("io error", matches!(&socket, ClientConnectErr::Socket(_)))?;
    report.holds(
        "io error in words",
        socket.to_string().contains("from a socket"),
    )?;
    let error = MessagingErr::<NodeServerMessage>::ChannelClosed;
    let messaging: ClientConnectErr = error.into();
    let closed = matches!(
        &messaging,
        ClientConnectErr::Messaging(MessagingErr::ChannelClosed)
    );
    report.holds("messaging error", closed)?;
    let encryption = ClientConnectErr::Encryption(io::Error::other("from tls"));
    let encryption: Box<dyn Error> = Box::new(encryption);
    report.holds(
        "tls error in words",
        encryption.to_string().contains("from tls"),
    )
}

fn conversions(report: &mut Report) -> Checked {
    let text = TextMessage("潮目".into());
    report.same(
        "newtype",
        to_hex(&text.clone().into_bytes()),
        "e6bdaee79bae".into(),
    )?;
    report.same(
        "newtype back",
        TextMessage::from_bytes(text.clone().into_bytes()),
        text.clone(),
    )?;
    report.same(
        "newtype as message",
        encoded(text)?,
        (String::new(), "e6bdaee79bae".into()),
    )?;
    let bytes = reading().into_bytes();
    report.same(
        "protobuf",
        to_hex(&bytes),
        "0d0807100d1a026d5622030102ff".into(),
    )?;
    report.same("protobuf back", Reading::from_bytes(bytes), reading())?;
    let message = (String::new(), "0d0807100d1a026d5622030102ff".into());
    report.same("protobuf as message", encoded(reading())?, message)?;
    report.holds("newtype travels", TextMessage::serializable())?;
    report.holds("protobuf travels", Reading::serializable())
}

fn casts(report: &mut Report) -> Checked {
    report.holds("travels", Wire::serializable())?;
    report.same(
        "unit",
        encoded(Wire::Nothing)?,
        ("Nothing".into(), String::new()),
    )?;
    let words = Wire::Words("a".into(), TextMessage("bc".into()));
    let expected = "0000000000000001 61 0000000000000002 6263".replace(' ', "");
    report.same("tuple", encoded(words)?, ("Words".into(), expected))?;
    let measured = Wire::Measured {
        reading: reading(),
        at: 258,
    };
    let expected =
        "000000000000000e 0d0807100d1a026d5622030102ff 0000000000000008 0000000000000102";
    report.same(
        "struct",
        encoded(measured)?,
        ("Measured".into(), expected.replace(' ', "")),
    )?;
    let back = decode("Measured", &expected.replace(' ', ""))?;
    let same = matches!(back, Ok(Wire::Measured { reading: r, at: 258 }) if r == reading());
    report.holds("struct back", same)
}

fn calls(report: &mut Report) -> Checked {
    let (port, _) = open_port::<u64>();
    let expected = ("Length".into(), "0000000000000001 78".replace(' ', ""));
    report.same(
        "port last",
        encoded(Wire::Length("x".into(), port))?,
        expected,
    )?;
    let (port, _) = open_port::<String>();
    let expected = "0000000000000001 78 0000000000000004 00000003".replace(' ', "");
    let call = Wire::Repeat(port, "x".into(), 3);
    report.same("port first", encoded(call)?, ("Repeat".into(), expected))?;
    let (reply, _) = open_port::<Reading>();
    let call = Wire::Scale {
        reading: reading(),
        reply,
        factor: -1,
    };
    let expected =
        "000000000000000e 0d0807100d1a026d5622030102ff 0000000000000008 ffffffffffffffff";
    report.same(
        "port between",
        encoded(call)?,
        ("Scale".into(), expected.replace(' ', "")),
    )?;
    let (port, _) = open_port::<()>();
    report.same(
        "port only",
        encoded(Wire::Silence(port))?,
        ("Silence".into(), String::new()),
    )
}

fn malformed(report: &mut Report) -> Checked {
    report.holds("unknown variant", decode("Nobody", "")?.is_err())?;
    report.holds(
        "short argument",
        decode("Load", "000000000000000501")?.is_err(),
    )?;
    report.holds(
        "lying length",
        decode("Load", "ffffffffffffffff01")?.is_err(),
    )?;
    report.holds(
        "left over",
        decode("Load", "0000000000000001aabb")?.is_err(),
    )?;
    report.holds("arguments of a unit", decode("Nothing", "00")?.is_err())?;
    report.holds("cast of a call", decode("Silence", "")?.is_err())?;
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let conversion = decode("Words", "0000000000000001ff0000000000000000");
    std::panic::set_hook(hook);
    report.holds("panicking conversion", conversion?.is_err())
}

fn private(report: &mut Report) -> Checked {
    report.same("stays", Private::serializable(), false)?;
    report.holds("not encoded", Private::Hello.serialize().is_err())
}

pub fn reading() -> Reading {
    let raw = bytes::Bytes::from_static(&[1, 2, 255]);
    Reading {
        sensor: 7,
        value: -7,
        unit: "mV".into(),
        raw,
    }
}

fn open_port<T>() -> (RpcReplyPort<T>, ractor::concurrency::OneshotReceiver<T>) {
    let (sender, receiver) = ractor::concurrency::oneshot();
    (sender.into(), receiver)
}

/// Variant and arguments of a message on the wire, which carries no metadata.
fn encoded<M: Message>(message: M) -> Result<(String, String), String> {
    match message.serialize().map_err(|_| "not encoded")? {
        SerializedMessage::Cast {
            variant,
            args,
            metadata: None,
        } => Ok((variant, to_hex(&args))),
        SerializedMessage::Call {
            variant,
            args,
            metadata: None,
            ..
        } => Ok((variant, to_hex(&args))),
        _ => Err("encoded as something else".into()),
    }
}

fn decode(variant: &str, args: &str) -> Result<Result<Wire, BoxedDowncastErr>, String> {
    let args = from_hex(args)?;
    let cast = SerializedMessage::Cast {
        variant: variant.into(),
        args,
        metadata: None,
    };
    Ok(Wire::deserialize(cast))
}
