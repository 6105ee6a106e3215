//! A log entry as it lies in its segment: one field, whose name is the version and whose value is
//! `place(1)` and then as in `codec` from the nonce on. Scripts answer with the two as one.
//!
//! The number follows from the segment's and the place in there, and a stream keeps one name of a
//! field for many entries. Five bytes less an entry seem little; they bring one more message of
//! 120 characters into each 4 KB node of a stream.

use super::keys::SEGMENT;
use crate::model::{Micros, Record};
use crate::store::{Result, StoreError, codec};

/// Where the nonce begins in the value.
pub(crate) const NONCE_IN_VALUE: usize = 1;

/// The entry as `codec` reads it, given the number of its segment.
///
/// # Errors
/// [`StoreError::Corrupt`] for what is too short to be an entry.
pub(crate) fn numbered(segment: u64, stored: &[u8]) -> Result<Vec<u8>> {
    let (Some([version, place]), Some(rest)) = (stored.first_chunk(), stored.get(1 + NONCE_IN_VALUE..)) else {
        return Err(StoreError::Corrupt("malformed log entry".to_owned()));
    };
    let seq = segment * SEGMENT + u64::from(*place) + 1;
    let mut entry = Vec::with_capacity(codec::NONCE_OFFSET + rest.len());
    entry.push(*version);
    entry.extend_from_slice(&seq.to_be_bytes()[3..]);
    entry.extend_from_slice(rest);
    Ok(entry)
}

/// Reads the entry that must have this number.
///
/// # Errors
/// [`StoreError::Corrupt`] when it has another, or is no entry.
pub(crate) fn read(seq: u64, at: Micros, stored: &[u8]) -> Result<Record> {
    let record = codec::read_entry(at, &numbered(seq.saturating_sub(1) / SEGMENT, stored)?)?;
    if record.seq == seq {
        Ok(record)
    } else {
        Err(StoreError::Corrupt(format!("log has number {} in the place of {seq}", record.seq)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, Nonce};

    #[test]
    fn the_number_of_an_entry_follows_from_its_place() {
        const { assert!(SEGMENT <= 256, "a place is one byte") };
        for seq in [1, 2, SEGMENT, SEGMENT + 1, 1000 * SEGMENT] {
            let record = Record { seq, at: Micros(7), nonce: Nonce(8), event: Event::ChatDeleted };
            let place = ((seq - 1) % SEGMENT) as u8;
            let stored = [&[codec::VERSION, place][..], &codec::tail(record.nonce, &record.event)].concat();
            assert_eq!(numbered((seq - 1) / SEGMENT, &stored).unwrap(), codec::entry(&record));
            assert_eq!(read(seq, record.at, &stored).unwrap(), record);
            assert!(read(seq + 1, record.at, &stored).is_err());
        }
        assert!(numbered(0, &[1]).is_err());
    }
}
