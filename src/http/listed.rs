//! Pages of lists in which two rows can share a moment: the token names the row.

use uuid::Uuid;

use crate::model::Micros;
use crate::wire::page::{Listed, Token};

/// The page of these rows; `place` is where a row stands in its list.
pub fn listed<R, B>(rows: &[R], place: impl Fn(&R) -> (Micros, Uuid), body: impl Fn(&R) -> B) -> Listed<B> {
    let token = rows.last().map(|row| {
        let (at, id) = place(row);
        Token::row(at, id)
    });
    Listed { result: rows.iter().map(body).collect(), next_page_token: token.unwrap_or_default() }
}
