//! Tells what Redis publishes from all else it says: just enough RESP to see where answers end.
//!
//! A push is `>` (RESP3) or `*` (RESP2) whose first element is the text `message`, `smessage` or `pmessage`. Nobody asks
//! for lists that begin like that. What is no RESP (the rest of a replication link) is passed on untouched.

/// Bytes of a push that are held back at most. A larger one is passed on as if it were an answer.
const PUSH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a header line that are remembered: a type, a number, and the line's end.
const HEADER_BYTES_MAX: usize = 64;
const PUSHED: [&[u8]; 3] = [b"message", b"smessage", b"pmessage"];

/// A part of what the server said, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Answers, whole or in pieces.
    Answer(Vec<u8>),
    /// One push, whole.
    Push(Vec<u8>),
}

/// What is known of the frame that is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guess {
    /// Not enough has been read.
    Open,
    /// The next element's text decides.
    First,
    Answer,
    Push,
}

enum Place {
    /// In a line that ends with CR LF.
    Line,
    /// In a text, with this many bytes to come, its CR LF included.
    Text(usize),
    /// Not understood: this is not RESP.
    Lost,
}

/// Reads one direction of one connection, from its first byte.
pub(super) struct Frames {
    place: Place,
    line: Vec<u8>,
    /// How many elements are to come, in each list that has begun.
    open: Vec<u64>,
    guess: Guess,
    /// Bytes of the frame that nobody has been given yet.
    held: Vec<u8>,
    /// Where in `held` the text that decides begins.
    first: usize,
    parts: Vec<Part>,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            place: Place::Line,
            line: Vec::new(),
            open: Vec::new(),
            guess: Guess::Open,
            held: Vec::new(),
            first: 0,
            parts: Vec::new(),
        }
    }

    /// Takes bytes in, and returns what can be told about them and those held back.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Vec<Part> {
        while !bytes.is_empty() {
            let taken = match self.place {
                Place::Lost => {
                    self.held.extend_from_slice(bytes);
                    bytes.len()
                }
                Place::Text(left) => self.text(&bytes[..left.min(bytes.len())]),
                Place::Line => self.line(bytes),
            };
            bytes = &bytes[taken..];
            if self.guess == Guess::Push && self.held.len() > PUSH_BYTES_MAX {
                self.guess = Guess::Answer;
            }
        }
        if matches!(self.guess, Guess::Answer) || matches!(self.place, Place::Lost) {
            self.release();
        }
        std::mem::take(&mut self.parts)
    }

    fn text(&mut self, bytes: &[u8]) -> usize {
        self.held.extend_from_slice(bytes);
        if let Place::Text(left) = &mut self.place {
            *left -= bytes.len();
            if *left == 0 {
                if self.guess == Guess::First {
                    let text = &self.held[self.first..self.held.len().saturating_sub(2)];
                    self.guess = if PUSHED.contains(&text) { Guess::Push } else { Guess::Answer };
                }
                self.place = Place::Line;
                self.element_ends();
            }
        }
        bytes.len()
    }

    fn line(&mut self, bytes: &[u8]) -> usize {
        let end = bytes.iter().position(|byte| *byte == b'\n').map(|place| place + 1);
        let taken = end.unwrap_or(bytes.len());
        self.held.extend_from_slice(&bytes[..taken]);
        let room = HEADER_BYTES_MAX.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..taken.min(room)]);
        if end.is_some() {
            let line = std::mem::take(&mut self.line);
            self.header(&line);
        }
        taken
    }

    fn header(&mut self, line: &[u8]) {
        let top = self.open.is_empty();
        let kind = line.first().copied().unwrap_or_default();
        let digits = line.get(1..).unwrap_or_default().trim_ascii();
        let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<i64>().ok());
        match (self.guess, kind) {
            (Guess::Open, b'>' | b'*') if top && number.is_some_and(|n| n > 0) => self.guess = Guess::First,
            (Guess::First, b'$') => self.first = self.held.len(),
            (Guess::Open | Guess::First, _) => self.guess = Guess::Answer,
            _ => {}
        }
        match (kind, number) {
            (b'+' | b'-' | b':' | b',' | b'#' | b'_' | b'(', _) => self.element_ends(),
            (b'$' | b'=' | b'!', Some(length)) if length >= 0 => {
                self.place = usize::try_from(length).map_or(Place::Lost, |length| Place::Text(length + 2));
            }
            (b'*' | b'>' | b'~', Some(count)) if count > 0 => self.open.push(count.unsigned_abs()),
            (b'%', Some(pairs)) if pairs > 0 => self.open.push(pairs.unsigned_abs() * 2),
            // What is said about an answer, before the answer itself.
            (b'|', Some(pairs)) => self.open.push(pairs.unsigned_abs() * 2 + 1),
            (b'$' | b'*' | b'>' | b'~' | b'%' | b'=' | b'!', Some(_)) => self.element_ends(),
            _ => self.place = Place::Lost,
        }
    }

    fn element_ends(&mut self) {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return;
            }
            self.open.pop();
        }
        let push = self.guess == Guess::Push;
        self.guess = Guess::Open;
        if push {
            self.parts.push(Part::Push(std::mem::take(&mut self.held)));
        } else {
            self.release();
        }
    }

    /// Gives out what is held, as an answer or a piece of one.
    fn release(&mut self) {
        if self.held.is_empty() {
            return;
        }
        match self.parts.last_mut() {
            Some(Part::Answer(answer)) => answer.append(&mut self.held),
            _ => self.parts.push(Part::Answer(std::mem::take(&mut self.held))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &[u8] = b"+OK\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\na\r\nbc\r\n%1\r\n+k\r\n*2\r\n$-1\r\n_\r\n\
        *3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n>3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$0\r\n\r\n*0\r\n*2\r\n*1\r\n:1\r\n$1\r\nx\r\n";

    fn split(step: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
        let mut frames = Frames::new();
        let (mut answers, mut pushes) = (Vec::new(), Vec::new());
        for part in SAID.chunks(step).flat_map(|chunk| frames.read(chunk)) {
            match part {
                Part::Answer(bytes) => answers.extend(bytes),
                Part::Push(bytes) => pushes.push(bytes),
            }
        }
        (answers, pushes)
    }

    #[test]
    fn pushes_are_told_from_answers_however_the_bytes_arrive() {
        for step in [1, 2, 3, 7, 50, SAID.len()] {
            let (answers, pushes) = split(step);
            let first: &[u8] = b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\na\r\nbc\r\n";
            let second: &[u8] = b">3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$0\r\n\r\n";
            assert_eq!(pushes, [first, second], "in steps of {step}");
            assert_eq!(answers.len(), SAID.len() - first.len() - second.len(), "in steps of {step}");
        }
    }

    #[test]
    fn nothing_is_held_back_of_what_is_no_resp() {
        let mut frames = Frames::new();
        assert_eq!(frames.read(b"HTTP/1.1 400\r\nx"), [Part::Answer(b"HTTP/1.1 400\r\nx".to_vec())]);
        assert_eq!(frames.read(b">3\r\n"), [Part::Answer(b">3\r\n".to_vec())]);
    }

    #[test]
    fn an_answer_too_large_to_hold_is_passed_on_in_pieces() {
        let mut frames = Frames::new();
        assert_eq!(frames.read(b"$1000000\r\nabc"), [Part::Answer(b"$1000000\r\nabc".to_vec())]);
        assert_eq!(frames.read(b"def"), [Part::Answer(b"def".to_vec())]);
    }
}
