use std::{fmt, str};

use sha2::{Digest, Sha256};
use shiome_gossip::NodeId;
use thiserror::Error;

/// Who a node is, as five lines:
///
/// ```text
/// shiome-membership 1
/// id 000102030405060708090a0b0c0d0e0f
/// incarnation 17
/// epoch 1763706973184098304
/// checksum 6b1f0a3c5d7e9f20
/// ```
///
/// The checksum is the start of SHA-256 over the lines before it. A file that differs from what would be written in
/// anything, be it white space, is corrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) id: NodeId,
    /// The highest that the node has had.
    pub(crate) incarnation: u64,
    /// The highest epoch that it has encrypted in.
    pub(crate) epoch: u64,
}

/// What is wrong with a state file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Its first line is not that of a state file.
    #[error("not a state file")]
    Foreign,
    /// It was written by a later version of this crate.
    #[error("of another version")]
    Version,
    /// The lines are not what they should be.
    #[error("malformed")]
    Malformed,
    /// The lines are well-formed, and not those that were written.
    #[error("wrong checksum")]
    Checksum,
}

const NAME: &str = "shiome-membership";
const VERSION: &str = "1";

impl Record {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let text = str::from_utf8(bytes).map_err(|_| RecordError::Foreign)?;
        let mut lines = text.lines();
        let (name, version) = field(lines.next()).ok_or(RecordError::Foreign)?;
        if name != NAME {
            return Err(RecordError::Foreign);
        }
        if version != VERSION {
            return Err(RecordError::Version);
        }
        let mut value = |name| {
            field(lines.next())
                .filter(|(found, _)| *found == name)
                .map(|(_, value)| value)
                .ok_or(RecordError::Malformed)
        };
        let record = Self {
            id: parse_id(value("id")?)?,
            incarnation: parse_number(value("incarnation")?)?,
            epoch: parse_number(value("epoch")?)?,
        };
        let checksum = value("checksum")?;
        if checksum != record.checksum() {
            return Err(RecordError::Checksum);
        }
        if record.to_string() != text {
            return Err(RecordError::Malformed);
        }
        Ok(record)
    }

    fn body(&self) -> String {
        let id = hex::encode(self.id.as_bytes());
        let Self {
            incarnation, epoch, ..
        } = self;
        format!("{NAME} {VERSION}\nid {id}\nincarnation {incarnation}\nepoch {epoch}\n")
    }

    fn checksum(&self) -> String {
        let hash: [u8; 32] = Sha256::digest(self.body()).into();
        hex::encode(&hash[..8])
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}checksum {}", self.body(), self.checksum())
    }
}

fn field(line: Option<&str>) -> Option<(&str, &str)> {
    line?.split_once(' ')
}

fn parse_id(digits: &str) -> Result<NodeId, RecordError> {
    let mut id = [0; NodeId::LEN];
    hex::decode_to_slice(digits, &mut id).map_err(|_| RecordError::Malformed)?;
    Ok(id.into())
}

fn parse_number(digits: &str) -> Result<u64, RecordError> {
    digits.parse().map_err(|_| RecordError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            id: NodeId::from(std::array::from_fn(|index| index as u8)),
            incarnation: 17,
            epoch: u64::MAX,
        }
    }

    #[test]
    fn reads_what_it_wrote() {
        let text = record().to_string();
        assert!(text.starts_with(
            "shiome-membership 1\nid 000102030405060708090a0b0c0d0e0f\nincarnation 17\nepoch 18446744073709551615\n"
        ));
        assert_eq!(Record::parse(text.as_bytes()), Ok(record()));
    }

    #[test]
    fn one_changed_byte_is_noticed() {
        let text = record().to_string().into_bytes();
        for index in 0..text.len() {
            for change in [1, 0x20, 0x80] {
                let mut changed = text.clone();
                changed[index] ^= change;
                assert!(Record::parse(&changed).is_err(), "byte {index}");
            }
            assert!(Record::parse(&text[..index]).is_err(), "cut at {index}");
        }
        let longer = [&text[..], b"\n"].concat();
        assert_eq!(Record::parse(&longer), Err(RecordError::Malformed));
    }

    #[test]
    fn faults_are_told_apart() {
        let text = record().to_string();
        let parse = |text: &str| Record::parse(text.as_bytes()).unwrap_err();
        assert_eq!(parse("something else\n"), RecordError::Foreign);
        assert_eq!(
            parse(&text.replace("membership 1", "membership 2")),
            RecordError::Version
        );
        assert_eq!(
            parse(&text.replace("incarnation 17", "incarnation 18")),
            RecordError::Checksum
        );
        assert_eq!(
            parse(&text.replace("incarnation 17", "incarnation x")),
            RecordError::Malformed
        );
    }
}
