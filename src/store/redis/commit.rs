//! Commits as the arguments of `commit.lua`: what each event changes besides being in the log.

use redis::Cmd;

use super::scripts::Source;
use crate::model::chat::ChatKind;
use crate::model::{AgentId, ChatId, CustomerId, Event, Micros, ParticipantId};
use crate::store::codec::{self, Reader, Writer};
use crate::store::{Commit, Entry, Expect, Result, StoreError, Touch};

/// A commit as arguments, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    bytes: Vec<u8>,
    /// Where each argument ends.
    ends: Vec<usize>,
}

impl Packed {
    fn push(&mut self, argument: &[u8]) {
        self.bytes.extend_from_slice(argument);
        self.ends.push(self.bytes.len());
    }

    /// How large it is.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn arguments(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| self.bytes.get(begin..*end).unwrap_or_default())
    }
}

/// The call that makes these commits of one chat, one after the other; `meta` is its key.
pub(crate) fn call<'a>(
    script: &Source,
    meta: &str,
    chat: ChatId,
    commits: impl Iterator<Item = &'a Packed> + Clone,
) -> Cmd {
    let mut cmd = script.call(&[meta]);
    cmd.arg(&chat.bytes());
    for argument in commits.flat_map(Packed::arguments) {
        cmd.arg(argument);
    }
    cmd
}

/// The arguments that stand for a commit.
///
/// # Errors
/// [`StoreError::Corrupt`] for a commit that would make a log that is none.
pub(crate) fn pack(commit: &Commit) -> Result<Packed> {
    sound(commit)?;
    let mut packed = Packed::default();
    match commit.expect {
        Expect::Absent { at } => packed.push(format!("A{}", at.0).as_bytes()),
        Expect::Rules(seq) => {
            let mut expected = [b'R', 0, 0, 0, 0, 0];
            expected[1..].copy_from_slice(&five(seq));
            packed.push(&expected);
        }
    }
    packed.push(commit.retry_after.map(|seq| seq.to_string()).unwrap_or_default().as_bytes());
    match commit.known {
        Some(known) => packed.push(&[&five(known.seq)[..], &known.nonce.0.to_be_bytes()].concat()),
        None => packed.push(b""),
    }
    let changes: Vec<Changes> = commit.entries.iter().map(changes).collect();
    let arguments: usize = changes.iter().map(|changes| 2 + changes.arguments.len()).sum();
    packed.push(arguments.to_string().as_bytes());
    for (entry, changes) in commit.entries.iter().zip(&changes) {
        packed.push(&codec::tail(entry.nonce, &entry.event));
        packed.push(changes.letters.as_bytes());
        changes.arguments.iter().for_each(|argument| packed.push(argument));
    }
    Ok(packed)
}

/// A chat begins with its creation, has no other one, and entries that change a message say how.
fn sound(commit: &Commit) -> Result<()> {
    for (place, entry) in commit.entries.iter().enumerate() {
        let begins = place == 0 && matches!(commit.expect, Expect::Absent { .. });
        let creates = matches!(entry.event, Event::ChatCreated { .. });
        let touches = entry.event.changes_message().is_some();
        if begins != creates || touches != entry.touch.is_some() {
            return Err(StoreError::Corrupt(format!("refused to write an unsound {}", entry.event.name())));
        }
    }
    if commit.entries.is_empty() { Err(StoreError::Corrupt("refused to write nothing".to_owned())) } else { Ok(()) }
}

/// A number in the five bytes that it has in an entry.
fn five(seq: u64) -> [u8; 5] {
    let [_, _, _, a, b, c, d, e] = seq.to_be_bytes();
    [a, b, c, d, e]
}

/// Letters and arguments for the script; `commit.lua` says what they mean.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    letters: String,
    arguments: Vec<Vec<u8>>,
}

impl Changes {
    fn mark(&mut self, letter: char) {
        self.letters.push(letter);
    }

    fn with(&mut self, letter: char, argument: impl Into<Vec<u8>>) {
        self.letters.push(letter);
        self.arguments.push(argument.into());
    }

    fn touch(&mut self, touch: &Touch) {
        let mut after = codec::overlay(&touch.overlay);
        let open = codec::open_moments(&touch.overlay);
        after.truncate(after.len().saturating_sub(8 * open));
        self.letters.push('o');
        self.arguments.push(moment(touch.before.at));
        self.arguments.push(codec::overlay(&touch.before.overlay));
        self.arguments.push(after);
        self.arguments.push(vec![b'0' + open as u8]);
    }

    fn empty(&mut self, touch: &Touch) {
        let left = codec::tail(crate::model::Nonce(0), &Event::MessageCreated(touch.before.post.emptied()));
        self.letters.push('x');
        self.arguments.push(moment(touch.before.at));
        // From the kind on: version, number and nonce of the entry stay.
        self.arguments.push(left[codec::KIND_OFFSET - codec::NONCE_OFFSET..].to_vec());
        for file in touch.before.post.files() {
            self.with('g', file.bytes());
        }
    }
}

fn moment(at: Micros) -> Vec<u8> {
    at.0.to_be_bytes().to_vec()
}

fn changes(entry: &Entry) -> Changes {
    let mut changes = Changes::default();
    if let Some(touch) = &entry.touch {
        changes.touch(touch);
    }
    match &entry.event {
        Event::ChatCreated { customer, kind, name, detail, members } => {
            changes.mark('c');
            changes.mark('u');
            changes.with('s', origin(*customer, *kind));
            changes.with('n', words(name, detail));
            changes.with('j', joining(members));
        }
        Event::ChatUpdated { name, detail } => {
            changes.mark('u');
            changes.with('n', words(name, detail));
        }
        Event::ChatDeleted => {
            changes.mark('u');
            changes.mark('d');
        }
        Event::MessageCreated(post) => {
            if let Some(parent) = post.parent {
                changes.with('t', moment(parent));
            }
            for file in post.files() {
                changes.with('f', file.bytes());
            }
        }
        Event::MessageDeleted { .. } => {
            if let Some(touch) = &entry.touch {
                changes.empty(touch);
            }
        }
        Event::ReactionChanged { .. } => {}
        Event::ParticipantAdded { agent, participant } => changes.with('j', joining(&[(*agent, *participant)])),
        Event::ParticipantRemoved { agent, .. } => changes.with('l', agent.bytes()),
    }
    if entry.event.changes_rules() {
        changes.mark('r');
    }
    changes
}

fn joining(members: &[(AgentId, ParticipantId)]) -> Vec<u8> {
    members.iter().flat_map(|(agent, participant)| [agent.bytes(), participant.bytes()].concat()).collect()
}

/// What never changes about a chat.
fn origin(customer: CustomerId, kind: ChatKind) -> Vec<u8> {
    let mut out = Writer::versioned();
    out.0.extend_from_slice(&customer.bytes());
    out.u8(codec::kind_byte(kind));
    out.0
}

/// Reads what [`origin`] wrote.
pub(crate) fn read_origin(bytes: &[u8]) -> Result<(CustomerId, ChatKind)> {
    let mut input = Reader::versioned(bytes, "chat")?;
    let customer = CustomerId::from_bytes(input.sixteen()?);
    let kind = codec::read_kind(input.u8()?).ok_or_else(|| StoreError::Corrupt("malformed chat".to_owned()))?;
    Ok((customer, kind))
}

/// What is called a chat.
fn words(name: &str, detail: &str) -> Vec<u8> {
    let mut out = Writer::versioned();
    out.text(name);
    out.text(detail);
    out.0
}

/// Reads what [`words`] wrote.
pub(crate) fn read_words(bytes: &[u8]) -> Result<(String, String)> {
    let mut input = Reader::versioned(bytes, "chat's name")?;
    Ok((input.text()?, input.text()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FileId, Media, Message, Nonce, Overlay, Owner, Post};

    fn entry(event: Event, touch: Option<Touch>) -> Entry {
        Entry { nonce: Nonce(7), event, touch }
    }

    fn post(text: &str, medias: Vec<Media>) -> Post {
        Post { owner: Owner::System, parent: None, text: text.to_owned(), medias }
    }

    #[test]
    fn a_plain_message_changes_nothing_else() {
        let plain = changes(&entry(Event::MessageCreated(post("hello", vec![])), None));
        assert_eq!(plain, Changes::default());
    }

    #[test]
    fn a_deletion_leaves_no_text_and_lets_each_file_go_once() {
        let file = FileId::random();
        let media = Media::File { file, name: "secret.txt".to_owned() };
        let before = Message {
            seq: 2,
            at: Micros(5),
            post: post("secret", vec![media.clone(), media]),
            overlay: Overlay::default(),
            replies: 0,
        };
        let touch = Touch { before, overlay: Overlay::tombstone(Micros::ZERO) };
        let made = changes(&entry(Event::MessageDeleted { message: Micros(5) }, Some(touch)));
        assert_eq!(made.letters, "oxg");
        assert_eq!(made.arguments.last(), Some(&file.bytes().to_vec()));
        assert!(made.arguments.iter().all(|argument| !argument.windows(6).any(|six| six == b"secret")));
        // Overlay: version, flags, no reactions; its moment is the script's to fill in.
        assert_eq!(made.arguments[2], [codec::VERSION, 1, 0]);
        assert_eq!(made.arguments[3], b"1");
    }

    #[test]
    fn what_a_chat_is_can_be_read_back() {
        let customer = CustomerId::random();
        assert_eq!(read_origin(&origin(customer, ChatKind::Talk)).unwrap(), (customer, ChatKind::Talk));
        assert_eq!(read_words(&words("n", "d")).unwrap(), ("n".to_owned(), "d".to_owned()));
        assert!(read_words(&[9]).is_err());
    }
}
