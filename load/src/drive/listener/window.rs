//! Counts who has a message, and gives a permit back when everybody does.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// Messages of one chat that may be under way; older ones are taken as lost, which the senders notice by themselves.
const UNDER_WAY_MAX: usize = 65_536;

/// See the module.
#[derive(Debug)]
pub(super) struct Window {
    permits: Arc<Semaphore>,
    /// By the place of the chat.
    chats: Vec<Counting>,
}

#[derive(Clone, Debug, Default)]
struct Counting {
    /// Sockets that must have each message.
    needed: u32,
    /// The number of the first of [`Self::counts`].
    first: u64,
    counts: VecDeque<u32>,
}

impl Window {
    /// Each chat has so many sockets.
    pub(super) fn new(permits: Arc<Semaphore>, needed: Vec<u32>) -> Self {
        let chats = needed.into_iter().map(|needed| Counting { needed, ..Counting::default() }).collect();
        Self { permits, chats }
    }

    /// One more socket has this message.
    pub(super) fn heard(&mut self, chat: u32, seq: u64) {
        let Some(chat) = self.chats.get_mut(chat as usize) else { return };
        if chat.counts.is_empty() {
            chat.first = seq;
        }
        while seq < chat.first && chat.counts.len() < UNDER_WAY_MAX {
            chat.counts.push_front(0);
            chat.first -= 1;
        }
        let Some(place) = seq.checked_sub(chat.first).and_then(|place| usize::try_from(place).ok()) else { return };
        if place >= UNDER_WAY_MAX {
            return;
        }
        if place >= chat.counts.len() {
            chat.counts.resize(place + 1, 0);
        }
        let Some(count) = chat.counts.get_mut(place) else { return };
        *count += 1;
        if *count == chat.needed {
            self.permits.add_permits(1);
        }
        // Numbers that are no message (a member came) stay 0 and go with the next message that everybody has.
        if *count >= chat.needed {
            chat.settle(place);
        }
    }
}

impl Counting {
    /// Everybody has the message at this place: it can be forgotten once all before it are had by everybody too.
    fn settle(&mut self, place: usize) {
        let done = |count: &u32| *count == 0 || *count >= self.needed;
        if self.counts.iter().take(place + 1).all(done) {
            self.counts.drain(..=place);
            self.first += place as u64 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_comes_back_when_everybody_has_it() {
        let permits = Arc::new(Semaphore::new(0));
        let mut window = Window::new(Arc::clone(&permits), vec![2]);
        for seq in [7, 8, 10] {
            window.heard(0, seq);
        }
        assert_eq!(permits.available_permits(), 0, "one of two has them");
        window.heard(0, 7);
        window.heard(0, 8);
        assert_eq!(permits.available_permits(), 2);
        window.heard(0, 10);
        assert_eq!(permits.available_permits(), 3, "9 was no message");
        assert!(window.chats[0].counts.is_empty() && window.chats[0].first == 11);
    }

    #[test]
    fn who_is_first_may_not_have_the_first() {
        let permits = Arc::new(Semaphore::new(0));
        let mut window = Window::new(Arc::clone(&permits), vec![2]);
        for seq in [8, 7, 7, 8] {
            window.heard(0, seq);
        }
        assert_eq!(permits.available_permits(), 2);
    }
}
