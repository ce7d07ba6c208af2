use std::collections::HashMap;

use shiome_wire::auth::{AuthenticationMessage, authentication_message::Msg};

/// The challenges that a node has issued on all its connections and that are not answered yet.
///
/// One handshake sees one connection. A host that this node dials could pass on a challenge that the same node has
/// issued on another connection, and hand the answer back there: both ends authenticated, without the cookie. So the
/// owner of the handshakes keeps these, from each [`Entropy`](crate::Entropy) drawn until its handshake is over, and
/// lets no client answer one of them. A stranger draws the same number once in four thousand million times; then the
/// connection is closed and the next one will do. Holds as many numbers as there are unfinished handshakes, which the
/// owner limits.
#[derive(Debug, Default)]
pub struct OutstandingChallenges(HashMap<u32, usize>);

impl OutstandingChallenges {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the challenge of a handshake that begins. A number may be outstanding twice.
    pub fn insert(&mut self, challenge: u32) {
        *self.0.entry(challenge).or_default() += 1;
    }

    /// Removes the challenge of a handshake that is over, however it ended. Unknown ones are ignored.
    pub fn remove(&mut self, challenge: u32) {
        if let Some(count) = self.0.get_mut(&challenge) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&challenge);
            }
        }
    }

    /// Whether `message`, received on any connection, asks this node to answer a challenge of its own. Then it goes
    /// to no [`Handshake`](crate::Handshake); the connection is to be closed.
    #[must_use]
    pub fn is_reflected(&self, message: &AuthenticationMessage) -> bool {
        matches!(&message.msg, Some(Msg::ServerChallenge(received))
            if self.0.contains_key(&received.challenge))
    }
}
