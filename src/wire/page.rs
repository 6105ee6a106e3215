//! Pages of lists: sizes, tokens, directions.

use uuid::Uuid;

use crate::model::Micros;
use crate::store::Around;

use super::error::ApiError;
use super::time;

/// The page a list answers with, and the token that leads to the next.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Listed<T> {
    pub result: Vec<T>,
    /// Hand it back as `page_token`. `""` when `result` is empty.
    pub next_page_token: String,
}

/// Most rows a page has, and how many it has when nothing is said.
pub const PAGE_SIZE_MAX: usize = 100;

/// What a list is asked for, as it came.
#[derive(Clone, Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Rows, 1 to 100. 0, negative and larger mean 100.
    #[param(value_type = Option<i64>)]
    pub page_size: Option<String>,
    /// The last page's `next_page_token`: rows strictly older than it (newer, with `order=asc`).
    pub page_token: Option<String>,
    /// `desc` (the default): newest first. `asc`: oldest first.
    pub order: Option<String>,
}

/// What a list is asked for, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    pub limit: usize,
    pub ascending: bool,
    /// Where the last page ended.
    pub after: Option<Token>,
}

/// The last row of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub at: Micros,
    /// In lists that span chats, where two rows can share a moment.
    pub id: Option<Uuid>,
}

impl PageQuery {
    /// Understands it.
    ///
    /// # Errors
    /// A size that is not a number, a token or an order that is none.
    pub fn parse(&self) -> Result<PageRequest, ApiError> {
        let limit = match self.page_size.as_deref() {
            None | Some("") => PAGE_SIZE_MAX,
            Some(text) => parse_size(text)?,
        };
        let ascending = match self.order.as_deref() {
            None | Some("" | "desc") => false,
            Some("asc") => true,
            Some(_) => return Err(ApiError::parameter("order must be asc or desc")),
        };
        let after = match self.page_token.as_deref() {
            None | Some("") => None,
            Some(text) => Some(Token::parse(text)?),
        };
        Ok(PageRequest { limit, ascending, after })
    }
}

fn parse_size(text: &str) -> Result<usize, ApiError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ApiError::parameter("page_size must be a number"));
    }
    Ok(match text.parse::<usize>() {
        Ok(size @ 1..=PAGE_SIZE_MAX) => size,
        _ => PAGE_SIZE_MAX,
    })
}

impl Token {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let wrong = || ApiError::parameter("page_token must be a next_page_token or a timestamp");
        let (moment, id) = match text.split_once(',') {
            Some((moment, id)) => (moment, Some(Uuid::try_parse(id).map_err(|_| wrong())?)),
            None => (text, None),
        };
        Ok(Self { at: time::parse(moment).ok_or_else(wrong)?, id })
    }

    /// The token of a row whose moment is its own.
    #[must_use]
    pub fn moment(at: Micros) -> String {
        time::format(at)
    }

    /// The token of a row in a list that spans chats.
    #[must_use]
    pub fn row(at: Micros, id: Uuid) -> String {
        format!("{},{id}", time::format(at))
    }
}

impl PageRequest {
    /// Where in a list of rows ordered by moment and id the page begins.
    ///
    /// A bare timestamp excludes every row of that moment.
    #[must_use]
    pub fn around(&self) -> Around {
        match (self.ascending, self.after) {
            (false, None) => Around::Newest,
            (true, None) => Around::Oldest,
            (false, Some(token)) => Around::Before(token.at, token.id.unwrap_or(Uuid::nil())),
            (true, Some(token)) => Around::After(token.at, token.id.unwrap_or(Uuid::max())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(size: &str, token: &str, order: &str) -> Result<PageRequest, ApiError> {
        let some = |text: &str| Some(text.to_owned());
        PageQuery { page_size: some(size), page_token: some(token), order: some(order) }.parse()
    }

    #[test]
    fn sizes_out_of_range_mean_the_most() {
        for (size, limit) in [("", 100), ("0", 100), ("-3", 100), ("101", 100), ("99999999999999999999", 100), ("7", 7)]
        {
            assert_eq!(query(size, "", "").map(|page| page.limit), Ok(limit), "{size}");
        }
        assert!(query("ten", "", "").is_err());
    }

    #[test]
    fn a_token_is_a_moment_with_or_without_an_id() {
        let at = time::parse("2024-01-17 10:30:00.000001").expect("a moment");
        assert_eq!(query("", "2024-01-17 10:30:00.000001", "").map(|p| p.after), Ok(Some(Token { at, id: None })));
        let id = Uuid::from_u128(7);
        assert_eq!(query("", &Token::row(at, id), "").map(|p| p.after), Ok(Some(Token { at, id: Some(id) })));
        for wrong in ["x", "2024", "2024-01-17 10:30:00,x", ",", "2024-13-17 10:30:00"] {
            assert!(query("", wrong, "").is_err(), "{wrong}");
        }
    }
}
