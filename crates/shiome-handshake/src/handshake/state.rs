use crate::digest::Digest;
use crate::transcript::ProofMac;

/// Named for what is awaited.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) enum State {
    AwaitName,
    AwaitAdmission,
    AwaitClientStatus,
    AwaitReply,
    AwaitStatus,
    AwaitAliveAnswer,
    AwaitChallenge,
    AwaitAck {
        /// The digest that we have sent.
        sent: Digest,
        /// The peer's challenge.
        challenge: u32,
    },
    AwaitProof {
        /// What the peer proves if it has seen what we have.
        expected: ProofMac,
    },
    Authenticated,
    Refused,
    Failed,
}

impl State {
    pub(super) fn awaited(&self) -> &'static str {
        match self {
            Self::AwaitName => "name",
            Self::AwaitAdmission => "admission",
            Self::AwaitClientStatus => "client status",
            Self::AwaitReply => "challenge reply",
            Self::AwaitStatus => "server status",
            Self::AwaitAliveAnswer => "answer to alive",
            Self::AwaitChallenge => "challenge",
            Self::AwaitAck { .. } => "challenge ack",
            Self::AwaitProof { .. } => "proof",
            Self::Authenticated | Self::Refused | Self::Failed => "nothing",
        }
    }
}
