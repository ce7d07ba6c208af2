//! One direction of a TCP connection: the order of its bytes, and what is missing.

use std::collections::BTreeMap;

use super::packet::Segment;

/// Most bytes that wait for others before them. When there are more, those are taken as missing.
const MAX_WAITING: usize = 4 * 1024 * 1024;

/// Puts segments in order.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Number of the first byte that has not come, once one has been told.
    next: Option<u32>,
    /// Number of the first byte of the connection, if its opening was seen.
    first: Option<u32>,
    /// Where that byte stands.
    position: u64,
    /// What came too early, by where it stands.
    waiting: BTreeMap<u64, Vec<u8>>,
    waiting_len: usize,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    /// So many bytes were not captured.
    Gap(u64),
}

impl Stream {
    /// Where the first byte stands that has not come.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Whether the connection was seen from its start.
    pub(super) fn is_from_start(&self) -> bool {
        self.first.is_some()
    }

    /// Whether this segment opens the connection that is followed, and no other.
    pub(super) fn is_opened_by(&self, segment: &Segment<'_>) -> bool {
        self.first == Some(segment.seq.wrapping_add(1))
    }

    /// Takes a segment; the bytes that are in order now.
    pub(super) fn segment(&mut self, segment: &Segment<'_>) -> Vec<Piece> {
        let mut seq = segment.seq;
        if segment.opens {
            seq = seq.wrapping_add(1);
            if self.next.is_none() {
                self.first = Some(seq);
            }
        }
        let next = *self.next.get_or_insert(seq);
        // Numbers go round; what is less than half of them away is ahead (RFC 9293 §3.4).
        let ahead = i64::from(seq.wrapping_sub(next).cast_signed());
        let mut pieces = Vec::new();
        match u64::try_from(ahead) {
            Ok(0) => self.take(segment.payload, &mut pieces),
            Ok(ahead) => self.keep(self.position + ahead, segment.payload),
            Err(_) => {
                // Sent again. What goes beyond what has come is new.
                let old = usize::try_from(ahead.unsigned_abs()).unwrap_or(usize::MAX);
                let new = segment.payload.get(old..).unwrap_or_default();
                self.take(new, &mut pieces);
            }
        }
        self.take_waiting(&mut pieces);
        while self.waiting_len > MAX_WAITING {
            self.skip(&mut pieces);
        }
        pieces
    }

    /// All that waited, when nothing more comes.
    pub(super) fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while !self.waiting.is_empty() {
            self.skip(&mut pieces);
        }
        pieces
    }

    fn take(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>) {
        if bytes.is_empty() {
            return;
        }
        self.advance(bytes.len() as u64);
        pieces.push(Piece::Bytes(bytes.to_vec()));
    }

    fn advance(&mut self, len: u64) {
        self.position += len;
        // Numbers are of 32 bits, and go round.
        self.next = self.next.map(|next| next.wrapping_add(len as u32));
    }

    fn keep(&mut self, position: u64, bytes: &[u8]) {
        let there = self.waiting.get(&position).map_or(0, Vec::len);
        if bytes.len() > there {
            self.waiting_len += bytes.len() - there;
            self.waiting.insert(position, bytes.to_vec());
        }
    }

    fn take_waiting(&mut self, pieces: &mut Vec<Piece>) {
        while let Some(first) = self.waiting.first_entry() {
            let Some(old) = self.position.checked_sub(*first.key()) else {
                return;
            };
            let bytes = first.remove();
            self.waiting_len -= bytes.len();
            let old = usize::try_from(old).unwrap_or(usize::MAX);
            self.take(bytes.get(old..).unwrap_or_default(), pieces);
        }
    }

    /// Goes on with what waits, without what is before it.
    fn skip(&mut self, pieces: &mut Vec<Piece>) {
        let Some((position, _)) = self.waiting.first_key_value() else {
            return;
        };
        let gap = position - self.position;
        self.advance(gap);
        pieces.push(Piece::Gap(gap));
        self.take_waiting(pieces);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(seq: u32, payload: &[u8]) -> Segment<'_> {
        Segment {
            seq,
            opens: false,
            payload,
        }
    }

    const SYN: Segment<'static> = Segment {
        seq: u32::MAX - 2,
        opens: true,
        payload: &[],
    };

    fn bytes(pieces: &[Piece]) -> Vec<u8> {
        let parts = pieces.iter().map(|piece| match piece {
            Piece::Bytes(bytes) => bytes.clone(),
            Piece::Gap(len) => panic!("a gap of {len} bytes"),
        });
        parts.collect::<Vec<_>>().concat()
    }

    #[test]
    fn order_repetition_and_overlap_do_not_matter() {
        let mut stream = Stream::default();
        let mut pieces = Vec::new();
        // The numbers go round in the middle of it.
        let first = SYN.seq.wrapping_add(1);
        for next in [
            SYN,
            segment(first.wrapping_add(4), b"ef"),
            segment(first, b"ab"),
            SYN,
            segment(first, b"abc"),
            segment(first.wrapping_add(1), b"bcde"),
            segment(first.wrapping_add(6), b"g"),
            segment(first, b"a"),
        ] {
            pieces.extend(stream.segment(&next));
        }
        assert_eq!(bytes(&pieces), b"abcdefg");
        assert!(stream.is_from_start());
        assert_eq!(stream.position(), 7);
        assert!(stream.finish().is_empty());
    }

    #[test]
    fn what_is_missing_is_a_gap_at_the_end() {
        let mut stream = Stream::default();
        assert_eq!(bytes(&stream.segment(&segment(100, b"ab"))), b"ab");
        assert!(!stream.is_from_start());
        assert!(stream.segment(&segment(105, b"fg")).is_empty());
        let rest = [Piece::Gap(3), Piece::Bytes(b"fg".to_vec())];
        assert_eq!(stream.finish(), rest);
        assert_eq!(stream.position(), 7);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut stream = Stream::default();
        stream.segment(&segment(0, b"a"));
        let piece = vec![7; 1024 * 1024];
        let mut pieces = Vec::new();
        for index in 0..6 {
            let seq = 10 + index * piece.len() as u32;
            pieces.extend(stream.segment(&segment(seq, &piece)));
            assert!(stream.waiting_len <= MAX_WAITING);
        }
        assert_eq!(pieces.first(), Some(&Piece::Gap(9)));
        let taken = bytes(&pieces[1..]);
        assert_eq!(taken.len(), 6 * piece.len());
    }
}
