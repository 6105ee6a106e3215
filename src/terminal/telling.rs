//! A message as it is shown: who said what when, what hangs on it, and how it is laid out.

use std::cell::RefCell;
use std::collections::HashMap;

use uuid::Uuid;

use crate::wire::resources::{MediaResource, MessageResource};

use super::calling::{BASE, Client};
use super::clean;
use super::failure::Result;
use super::moments;
use super::people::People;
use super::screen::{Look, Screen};
use super::wrapping::{columns, shortened, wrap};

/// Columns before what is said: a time and a space.
const INDENT: usize = 6;
/// Columns of the beginning of a message that is answered.
const QUOTE_COLUMNS: usize = 50;
/// Messages whose beginning is remembered, for answers to them.
const QUOTES_MAX: usize = 4_096;
/// Columns that stay for what is said, however long a tag or a name is.
const TEXT_COLUMNS_MIN: usize = 12;

/// Shows messages, one after another.
pub(super) struct Teller<'a> {
    pub(super) client: &'a Client,
    pub(super) people: &'a People<'a>,
    pub(super) screen: &'a Screen,
    /// Whether ids are shown too.
    pub(super) ids: bool,
    /// The day that was written last.
    day: RefCell<String>,
    /// How messages begin, by their ids.
    quotes: RefCell<HashMap<Uuid, String>>,
}

/// The chat that a message is of, for where messages of several are mixed.
pub(super) struct Tag<'a> {
    pub(super) chat: Uuid,
    pub(super) title: &'a str,
}

impl<'a> Teller<'a> {
    pub(super) fn new(client: &'a Client, people: &'a People<'a>, screen: &'a Screen, ids: bool) -> Self {
        Self { client, people, screen, ids, day: RefCell::default(), quotes: RefCell::default() }
    }

    /// Shows a message.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) async fn message(&self, message: &MessageResource, tag: Option<&Tag<'_>>) -> Result<()> {
        self.day_of(&message.tm_create)?;
        let deleted = !message.tm_delete.is_empty();
        if message.owner_type != "agent" {
            return self.news(&message.tm_create, &clean::line(&message.text), tag);
        }
        if let Some(parent) = message.parent_id {
            let line = format!("{:INDENT$}↳ {}", "", self.quote(parent).await);
            self.screen.line(&self.screen.paint(Look::Dim, &line))?;
        }
        let author = self.people.name(message.owner_id).await;
        self.remember(message, &author);
        let (text, look) = match (deleted, message.text.is_empty()) {
            (true, _) => (String::from("deleted"), Some(Look::Dim)),
            (false, true) => (String::new(), None),
            (false, false) => (clean::lines(&message.text), None),
        };
        let mut head = Head::default();
        head.put(self.screen, Look::Dim, &format!("{} ", moments::clock(&message.tm_create)));
        if self.ids {
            head.put(self.screen, Look::Dim, &format!("{} ", message.id));
        }
        if let Some(tag) = tag {
            head.put(self.screen, Look::Of(tag.chat), &format!("{} ", tag.title));
        }
        head.put(self.screen, Look::Of(message.owner_id), &author);
        head.put_plain(": ");
        self.laid_out(head, &text, look)?;
        self.hanging_on(message).await
    }

    /// Shows that something happened at that moment; `what` must be clean.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn news(&self, at: &str, what: &str, tag: Option<&Tag<'_>>) -> Result<()> {
        self.day_of(at)?;
        let mut head = Head::default();
        head.put(self.screen, Look::Dim, &format!("{} ", moments::clock(at)));
        if let Some(tag) = tag {
            head.put(self.screen, Look::Of(tag.chat), &format!("{} ", tag.title));
        }
        head.put(self.screen, Look::Dim, "· ");
        self.laid_out(head, what, Some(Look::Dim))
    }

    /// How a message begins, in one clean line, for where it is spoken of.
    pub(super) async fn quote(&self, id: Uuid) -> String {
        if let Some(known) = self.quotes.borrow().get(&id) {
            return known.clone();
        }
        let found: Option<MessageResource> = self.client.glimpse(&format!("{BASE}/talk_messages/{id}")).await;
        let Some(message) = found else { return String::from("a message") };
        let author = self.people.name(message.owner_id).await;
        self.remember(&message, &author);
        quote_of(&message, &author)
    }

    fn remember(&self, message: &MessageResource, author: &str) {
        let mut quotes = self.quotes.borrow_mut();
        if quotes.len() >= QUOTES_MAX {
            quotes.clear();
        }
        quotes.insert(message.id, quote_of(message, author));
    }

    /// Writes the day of a moment, when the last one was of another.
    fn day_of(&self, at: &str) -> Result<()> {
        let day = moments::day(at);
        if *self.day.borrow() == day {
            return Ok(());
        }
        let width = self.screen.width().unwrap_or(40);
        let rule = "─".repeat(width.saturating_sub(columns(&day) + 4).min(60));
        self.screen.line(&self.screen.paint(Look::Dim, &format!("── {day} {rule}")))?;
        *self.day.borrow_mut() = day;
        Ok(())
    }

    /// What hangs on a message: attachments, reactions, answers.
    async fn hanging_on(&self, message: &MessageResource) -> Result<()> {
        for media in &message.medias {
            let text = self.media(media).await;
            self.below(&text, None)?;
        }
        let reactions = reactions(message);
        if !reactions.is_empty() {
            self.below(&reactions, None)?;
        }
        match message.reply_count {
            None | Some(0) => Ok(()),
            Some(1) => self.below("1 reply", Some(Look::Dim)),
            Some(count) => self.below(&format!("{count} replies"), Some(Look::Dim)),
        }
    }

    async fn media(&self, media: &MediaResource) -> String {
        let name = clean::line(media.name.as_deref().unwrap_or_default());
        let kind = clean::line(&media.r#type);
        if let Some(file) = media.file_id {
            return format!("[file] {name}  {file}");
        }
        if let Some(agent) = media.agent_id {
            return format!("[agent] {}", self.people.name(agent).await);
        }
        let link = media.link_url.as_deref().or(media.url.as_deref()).map(clean::line).unwrap_or_default();
        let address = media.address.as_ref().map(|address| clean::line(&address.to_string())).unwrap_or_default();
        let parts = [format!("[{kind}]"), name, link, address];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }

    fn below(&self, text: &str, look: Option<Look>) -> Result<()> {
        let mut head = Head::default();
        head.put_plain(&" ".repeat(INDENT));
        self.laid_out(head, text, look)
    }

    /// Writes a text behind its head, broken where the screen ends, and indented from the second line
    /// on: nobody can write a line that looks like another message.
    fn laid_out(&self, head: Head, text: &str, look: Option<Look>) -> Result<()> {
        let lines = match self.screen.width() {
            Some(width) => {
                let room = width.saturating_sub(INDENT).max(TEXT_COLUMNS_MIN);
                wrap(text, room, head.columns.saturating_sub(INDENT).min(room))
            }
            None => text.split('\n').map(str::to_owned).collect(),
        };
        let painted = |line: &str| look.map_or_else(|| line.to_owned(), |look| self.screen.paint(look, line));
        let mut start = head.text;
        for line in lines {
            self.screen.line(format!("{start}{}", painted(&line)).trim_end())?;
            start = " ".repeat(INDENT);
        }
        Ok(())
    }
}

/// What stands before a text, with the columns it takes.
#[derive(Default)]
struct Head {
    text: String,
    columns: usize,
}

impl Head {
    fn put(&mut self, screen: &Screen, look: Look, text: &str) {
        self.text.push_str(&screen.paint(look, text));
        self.columns += columns(text);
    }

    fn put_plain(&mut self, text: &str) {
        self.text.push_str(text);
        self.columns += columns(text);
    }
}

fn quote_of(message: &MessageResource, author: &str) -> String {
    let text = match (message.tm_delete.is_empty(), message.text.is_empty()) {
        (false, _) => String::from("deleted"),
        (true, true) => String::from("attachment"),
        (true, false) => shortened(&clean::line(message.text.lines().next().unwrap_or_default()), QUOTE_COLUMNS),
    };
    format!("{author}: {text}")
}

/// The reactions to a message, each emoji with how many chose it, in the order they came.
pub(super) fn reactions(message: &MessageResource) -> String {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for reaction in &message.metadata.reactions {
        match counted.iter_mut().find(|(emoji, _)| *emoji == reaction.emoji) {
            Some((_, count)) => *count += 1,
            None => counted.push((&reaction.emoji, 1)),
        }
    }
    let shown = counted.iter().map(|(emoji, count)| format!("{} {count}", clean::line(emoji)));
    shown.collect::<Vec<_>>().join("  ")
}
