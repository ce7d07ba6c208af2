//! Two sessions on a simulated link, in virtual time.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use shiome_wire::{
    Capabilities, FrameDecoder, MAX_FRAME_LEN,
    control::{self, Actor, control_message},
    encode,
    meta::NetworkMessage,
    native,
    node::{self, node_message},
};

use crate::{
    CallEnd, CallErrorCode, ChannelConfig, ChannelError, ChannelFault, ChannelId, Config, Event,
    ExitKind, FragmentError, GoodbyeReason, InboundCall, Length, SendError, Session, SessionError,
    Skipped, Terms, Verb,
    config::{
        AROUND_PAYLOAD_LEN, FRAGMENT_THRESHOLD, LEGACY_WINDOW, LIVENESS_TIMEOUT,
        MAX_EXPRESS_BACKLOG, MAX_NAME_LEN, MESSAGE_OVERHEAD, MIN_WINDOW, REPLY_GRACE,
        REPLY_HEADSTART, TERMINATE_HOLD,
    },
};

mod calls;
mod channels;
mod figures;
mod flow;
mod fragments;
mod lanes;
mod limits;
mod liveness;
mod messages;
mod monitoring;
mod outbox;
mod pair;
mod recorded;
mod robustness;
mod runs;
mod sync;
mod terminate;

use messages::*;
use pair::*;
