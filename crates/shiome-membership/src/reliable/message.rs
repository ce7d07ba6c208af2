use shiome_gossip::NodeId;

/// Length of a message before it is protected, in bytes.
pub(crate) const MESSAGE_LEN: usize = 40;

const VERSION: u8 = 1;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Question = b'?' as isize,
    Answer = b'!' as isize,
}

/// A question, or the answer to it. The layout stands at the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) node: NodeId,
    pub(crate) token: u64,
}

impl Message {
    pub(crate) fn encode(&self, cluster: u64) -> [u8; MESSAGE_LEN] {
        let mut bytes = [0; MESSAGE_LEN];
        bytes[..8].copy_from_slice(&magic(self.kind));
        bytes[8..16].copy_from_slice(&cluster.to_le_bytes());
        bytes[16..32].copy_from_slice(self.node.as_bytes());
        bytes[32..].copy_from_slice(&self.token.to_le_bytes());
        bytes
    }

    /// `None` unless it is a message of that kind and cluster, and nothing else.
    pub(crate) fn decode(bytes: &[u8], kind: Kind, cluster: u64) -> Option<Self> {
        let bytes: &[u8; MESSAGE_LEN] = bytes.try_into().ok()?;
        let (head, rest) = bytes.split_first_chunk::<8>()?;
        let (of_cluster, rest) = rest.split_first_chunk::<8>()?;
        let (node, token) = rest.split_first_chunk::<{ NodeId::LEN }>()?;
        let belongs = *head == magic(kind) && *of_cluster == cluster.to_le_bytes();
        belongs.then_some(Self {
            kind,
            node: NodeId::from(*node),
            token: u64::from_le_bytes(token.try_into().ok()?),
        })
    }
}

fn magic(kind: Kind) -> [u8; 8] {
    let [s, h, i, o, m, e] = *b"shiome";
    [s, h, i, o, m, e, VERSION, kind as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_as_documented() {
        let message = Message {
            kind: Kind::Question,
            node: NodeId::from([0xaa; 16]),
            token: 0x0807_0605_0403_0201,
        };
        let bytes = message.encode(0x1817_1615_1413_1211);
        assert_eq!(&bytes[..8], b"shiome\x01?");
        assert_eq!(
            hex::encode(&bytes[8..]),
            "1112131415161718aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0102030405060708"
        );
        let decode = |bytes: &[u8], kind, cluster| Message::decode(bytes, kind, cluster);
        let cluster = 0x1817_1615_1413_1211;
        assert_eq!(decode(&bytes, Kind::Question, cluster), Some(message));
        assert_eq!(decode(&bytes, Kind::Answer, cluster), None);
        assert_eq!(decode(&bytes, Kind::Question, 5), None);
        assert_eq!(decode(&bytes[..39], Kind::Question, cluster), None);
        assert_eq!(
            decode(&[&bytes[..], b"x"].concat(), Kind::Question, cluster),
            None
        );
    }
}
