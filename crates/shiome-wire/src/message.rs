//! Conversions between the layers of a [`NetworkMessage`], which protobuf nests three deep.

use crate::{
    auth::{self, AuthenticationMessage, authentication_message},
    control::{self, ControlMessage, control_message},
    meta::{NetworkMessage, network_message::Message},
    native::{self, NativeMessage, native_message},
    node::{self, NodeMessage, node_message},
};

impl NetworkMessage {
    /// The handshake message, if that is what this is.
    pub fn into_auth(self) -> Option<authentication_message::Msg> {
        match self.message? {
            Message::Auth(auth) => auth.msg,
            _ => None,
        }
    }

    /// The message between actors, if that is what this is.
    pub fn into_node(self) -> Option<node_message::Msg> {
        match self.message? {
            Message::Node(node) => node.msg,
            _ => None,
        }
    }

    /// The control message, if that is what this is.
    pub fn into_control(self) -> Option<control_message::Msg> {
        match self.message? {
            Message::Control(control) => control.msg,
            _ => None,
        }
    }

    /// The message between nodes of shiome, if that is what this is.
    pub fn into_native(self) -> Option<native_message::Msg> {
        match self.message? {
            Message::Native(native) => native.msg,
            _ => None,
        }
    }

    /// Name of the message's kind, for logs: contents can be secret and are never logged.
    pub fn kind(&self) -> &'static str {
        match &self.message {
            None => "empty",
            Some(Message::Auth(auth)) => auth_kind(auth),
            Some(Message::Node(node)) => node.kind(),
            Some(Message::Control(control)) => control_kind(control),
            Some(Message::Native(native)) => native_kind(native),
        }
    }
}

fn auth_kind(message: &AuthenticationMessage) -> &'static str {
    use authentication_message::Msg;
    match &message.msg {
        None => "auth",
        Some(Msg::Name(_)) => "name",
        Some(Msg::ServerStatus(_)) => "server status",
        Some(Msg::ClientStatus(_)) => "client status",
        Some(Msg::ServerChallenge(_)) => "challenge",
        Some(Msg::ClientChallenge(_)) => "challenge reply",
        Some(Msg::ServerAck(_)) => "challenge ack",
    }
}

impl NodeMessage {
    /// Name of the message's kind, for logs: contents can be secret and are never logged.
    pub fn kind(&self) -> &'static str {
        use node_message::Msg;
        match &self.msg {
            None => "node",
            Some(Msg::Cast(_)) => "cast",
            Some(Msg::Call(_)) => "call",
            Some(Msg::Reply(_)) => "reply",
        }
    }
}

fn control_kind(message: &ControlMessage) -> &'static str {
    use control_message::Msg;
    match &message.msg {
        None => "control",
        Some(Msg::Spawn(_)) => "spawn",
        Some(Msg::Terminate(_)) => "terminate",
        Some(Msg::Ping(_)) => "ping",
        Some(Msg::Pong(_)) => "pong",
        Some(Msg::PgJoin(_)) => "group join",
        Some(Msg::PgLeave(_)) => "group leave",
        Some(Msg::EnumerateNodeSessions(_)) => "enumerate sessions",
        Some(Msg::NodeSessions(_)) => "sessions",
        Some(Msg::Ready(_)) => "ready",
    }
}

fn native_kind(message: &NativeMessage) -> &'static str {
    use native_message::Msg;
    match &message.msg {
        None => "native",
        Some(Msg::Proof(_)) => "proof",
        Some(Msg::Fragment(_)) => "fragment",
        Some(Msg::Credit(_)) => "credit",
        Some(Msg::CallError(_)) => "call error",
        Some(Msg::Stop(_)) => "stop",
        Some(Msg::Monitor(_)) => "monitor",
        Some(Msg::Demonitor(_)) => "demonitor",
        Some(Msg::Refused(_)) => "refused",
        Some(Msg::Exit(_)) => "exit",
        Some(Msg::Goodbye(_)) => "goodbye",
        Some(Msg::ChannelOpen(_)) => "channel open",
        Some(Msg::ChannelData(_)) => "channel data",
        Some(Msg::ChannelCredit(_)) => "channel credit",
        Some(Msg::ChannelClose(_)) => "channel close",
    }
}

macro_rules! network_message_from {
    ($($outer:ident::$wrapper:ident . $oneof:ident { $($variant:ident($inner:ty)),* $(,)? })*) => {$(
        impl From<$wrapper> for NetworkMessage {
            fn from(message: $wrapper) -> Self {
                Self { message: Some(Message::$outer(message)) }
            }
        }

        impl From<$oneof::Msg> for NetworkMessage {
            fn from(msg: $oneof::Msg) -> Self {
                $wrapper { msg: Some(msg) }.into()
            }
        }

        $(impl From<$inner> for NetworkMessage {
            fn from(message: $inner) -> Self {
                $oneof::Msg::$variant(message).into()
            }
        })*
    )*};
}

// `NameMessage` stands in two places (Name, EnumerateNodeSessions) and has no conversion on purpose.
network_message_from! {
    Auth::AuthenticationMessage.authentication_message {
        ServerStatus(auth::ServerStatus),
        ClientStatus(auth::ClientStatus),
        ServerChallenge(auth::Challenge),
        ClientChallenge(auth::ChallengeReply),
        ServerAck(auth::ChallengeAck),
    }
    Node::NodeMessage.node_message {
        Cast(node::Cast),
        Call(node::Call),
        Reply(node::CallReply),
    }
    Control::ControlMessage.control_message {
        Spawn(control::Spawn),
        Terminate(control::Terminate),
        Ping(control::Ping),
        Pong(control::Pong),
        PgJoin(control::PgJoin),
        PgLeave(control::PgLeave),
        NodeSessions(control::NodeSessions),
        Ready(control::Ready),
    }
    Native::NativeMessage.native_message {
        Proof(native::Proof),
        Fragment(native::Fragment),
        Credit(native::Credit),
        CallError(native::CallError),
        Stop(native::Stop),
        Monitor(native::Monitor),
        Demonitor(native::Demonitor),
        Refused(native::Refused),
        Exit(native::Exit),
        Goodbye(native::Goodbye),
        ChannelOpen(native::ChannelOpen),
        ChannelData(native::ChannelData),
        ChannelCredit(native::ChannelCredit),
        ChannelClose(native::ChannelClose),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_nest_and_unnest() {
        let reply = node::CallReply {
            to: 1,
            tag: 2,
            what: "x".into(),
        };
        let message = NetworkMessage::from(reply.clone());
        assert_eq!(message.kind(), "reply");
        assert_eq!(message.clone().into_control(), None);
        assert_eq!(message.clone().into_auth(), None);
        assert_eq!(message.into_node(), Some(node_message::Msg::Reply(reply)));
    }
}
