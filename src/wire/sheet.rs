//! A page of messages as it goes out: written once, and cut to any smaller size.
//!
//! What is cut is byte for byte what [`Listed`](super::page::Listed) is written as.

use bytes::Bytes;
use serde::Serialize;

use crate::model::Micros;

use super::page::Token;

const HEAD: &[u8] = b"{\"result\":[";

/// The newest messages of a chat, newest first.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// The page of all rows.
    body: Bytes,
    /// Where each row ends, and its moment, which is the token of a page that ends with it.
    rows: Vec<(usize, Micros)>,
    /// Whether there are no older messages.
    whole: bool,
}

impl Sheet {
    /// Writes the rows, each with its moment. `whole`: there are no older ones.
    ///
    /// # Errors
    /// A fault of ours: a row has no JSON.
    pub fn write<R: Serialize>(
        newest_first: impl Iterator<Item = (Micros, R)>,
        whole: bool,
    ) -> Result<Self, serde_json::Error> {
        let (mut body, mut rows) = (HEAD.to_vec(), Vec::new());
        for (at, row) in newest_first {
            if !rows.is_empty() {
                body.push(b',');
            }
            serde_json::to_writer(&mut body, &row)?;
            rows.push((body.len(), at));
        }
        end(&mut body, rows.last());
        // Kept for long, so without the room that it grew into.
        Ok(Self { body: body.into_boxed_slice().into(), rows, whole })
    }

    /// The page of so many rows, or of all there are if the chat has fewer; `None` when there may
    /// be more than were written.
    #[must_use]
    pub fn cut(&self, limit: usize) -> Option<Bytes> {
        if limit == self.rows.len() || (limit > self.rows.len() && self.whole) {
            return Some(self.body.clone());
        }
        let last = limit.checked_sub(1).and_then(|place| self.rows.get(place))?;
        let mut body = self.body.get(..last.0)?.to_vec();
        end(&mut body, Some(last));
        Some(body.into())
    }

    /// The page of all rows.
    #[must_use]
    pub fn page(&self) -> Bytes {
        self.body.clone()
    }

    /// Bytes of memory that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len() + self.rows.capacity() * size_of::<(usize, Micros)>()
    }
}

fn end(body: &mut Vec<u8>, last: Option<&(usize, Micros)>) {
    body.extend_from_slice(b"],\"next_page_token\":\"");
    if let Some((_, at)) = last {
        body.extend_from_slice(Token::moment(*at).as_bytes());
    }
    body.extend_from_slice(b"\"}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::page::Listed;
    use crate::wire::time;
    use proptest::prelude::*;

    #[derive(Clone, Debug, Serialize)]
    struct Row {
        text: String,
        tm_create: String,
    }

    proptest! {
        #[test]
        fn every_cut_is_the_page_that_a_list_of_as_many_rows_is_written_as(
            texts in proptest::collection::vec(".{0,12}", 0..8), whole: bool, limit in 1_usize..10,
        ) {
            let row = |(n, text): (usize, &String)| {
                let at = Micros(1_700_000_000_000_000 - n as u64);
                (at, Row { text: text.clone(), tm_create: time::format(at) })
            };
            let all: Vec<_> = texts.iter().enumerate().map(row).collect();
            let sheet = Sheet::write(all.iter().cloned(), whole).expect("a sheet");
            let result: Vec<Row> = all.iter().take(limit).map(|(_, row)| row.clone()).collect();
            let next_page_token = result.last().map(|last| last.tm_create.clone()).unwrap_or_default();
            let expected = serde_json::to_vec(&Listed { result, next_page_token }).expect("a page");
            let known = limit <= texts.len() || whole;
            prop_assert_eq!(sheet.cut(limit), known.then(|| Bytes::from(expected)));
        }
    }
}
