//! What the store, a chat's actor and its clients do in one step, as the code has it.

use super::world::{Arrival, At, Attempt, Bounds, Entry, Guards, Look, Mail, REPEATS, World};

impl World {
    // ------------------------------------------------------------------------------------ the store

    pub(super) fn commit(&mut self, i: usize, bounds: &Bounds, guards: &Guards) {
        let mut attempt = self.attempts.remove(i);
        if attempt.refused {
            attempt.refused = false;
            attempt.after = attempt.after.min(self.nodes[attempt.node].len());
        }
        let from = if bounds.keyed { 0 } else { attempt.after };
        let earlier = self.log.iter().skip(from).position(|entry| entry.nonce == attempt.nonce).map(|at| from + at + 1);
        if earlier.is_none() && self.log.len() < attempt.after && guards.shorter {
            if !attempt.late {
                attempt.refused = true;
                let node = attempt.node;
                self.attempts.push(attempt);
                self.begin_look(node);
            }
            return;
        }
        let seq = earlier.unwrap_or_else(|| {
            self.made += 1;
            self.log.push(Entry { nonce: attempt.nonce, made: self.made });
            let arrival = self.arrival(self.log.len());
            for node in self.nodes.iter_mut().filter(|node| node.up && node.watching()) {
                node.inbox.push(Mail::Push(arrival.clone()));
            }
            arrival.seq
        });
        if !attempt.late {
            self.take(attempt.node, vec![self.arrival(seq)], guards);
        }
    }

    pub(super) fn repeat(&mut self, i: usize, n: usize, bounds: &Bounds) {
        self.left[REPEATS] -= 1;
        self.attempts[i].late = true;
        let attempt = self.attempts[i].clone();
        let mut after = attempt.after;
        if bounds.keyed {
            // The log is searched first.
            if self.log.iter().any(|entry| entry.nonce == attempt.nonce) {
                return;
            }
            after = self.log.len().min(self.nodes[n].len());
        }
        self.attempts.push(Attempt { node: n, after, late: false, ..attempt });
    }

    // ------------------------------------------------------------------------------------- the chat

    pub(super) fn take(&mut self, n: usize, arrivals: Vec<Arrival>, guards: &Guards) {
        for arrival in arrivals {
            self.take_one(n, arrival, guards);
        }
        while let Some(at) = self.nodes[n].early.iter().position(|arrival| arrival.seq <= self.nodes[n].len() + 1) {
            let arrival = self.nodes[n].early.remove(at);
            self.take_one(n, arrival, guards);
        }
    }

    fn take_one(&mut self, n: usize, arrival: Arrival, guards: &Guards) {
        let node = &mut self.nodes[n];
        let Some(room) = &mut node.room else { return self.begin_look(n) };
        if arrival.seq <= room.len() {
            // Only what is in memory can be compared, and only its nonce is.
            if arrival.seq > node.base && room[arrival.seq - 1].nonce != arrival.entry.nonce {
                self.begin_look(n);
            }
        } else if arrival.seq > room.len() + 1 {
            if !node.early.iter().any(|early| early.seq == arrival.seq) {
                node.early.push(arrival);
                node.early.sort_by_key(|early| early.seq);
            }
        } else if guards.chain && arrival.before != room.last().copied() {
            self.begin_look(n);
        } else {
            room.push(arrival.entry);
            self.hand_on(n, &arrival);
        }
    }

    fn hand_on(&mut self, n: usize, arrival: &Arrival) {
        for client in self.clients.iter_mut().filter(|client| client.at == At::On(n, true)) {
            if arrival.seq == client.view.len() + 1 {
                client.view.push(arrival.entry);
            } else if arrival.seq > client.view.len() {
                client.at = At::On(n, false);
            }
        }
    }

    pub(super) fn begin_look_unless_under_way(&mut self, n: usize) {
        if self.nodes[n].look.is_none() {
            self.begin_look(n);
        }
    }

    pub(super) fn begin_look(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        if node.look.is_some() {
            node.again = true;
            return;
        }
        node.look = Some((node.head(), Look::Begun));
        for client in self.clients.iter_mut().filter(|client| client.at == At::Wish(n, false)) {
            client.at = At::Wish(n, true);
        }
    }

    /// The next read of the look, or what the actor makes of it.
    pub(super) fn look(&mut self, n: usize, guards: &Guards) {
        let Some((known, look)) = self.nodes[n].look.take() else { return self.begin_look(n) };
        let holds = |at: (usize, Entry)| self.log.get(at.0 - 1) == Some(&at.1);
        let next = match (look, known) {
            (Look::Begun, None) | (Look::Gone, _) => Look::Loaded(self.log.clone()),
            (Look::Begun, Some(at)) if holds(at) && at.0 == self.log.len() => Look::Same,
            (Look::Begun, _) => Look::Differs(self.log.len()),
            (Look::Differs(_), Some(at)) if !holds(at) => Look::Gone,
            (Look::Differs(head), _) => Look::There(head),
            // Read together with what is known.
            (Look::There(_), Some(at)) if guards.chain && !holds(at) => Look::Gone,
            (Look::There(head), Some(at)) => {
                Look::Behind((at.0 + 1..=head.min(self.log.len())).map(|seq| self.arrival(seq)).collect())
            }
            (seen, _) => return self.see(n, seen, guards),
        };
        self.nodes[n].look = Some((known, next));
    }

    fn see(&mut self, n: usize, seen: Look, guards: &Guards) {
        match seen {
            Look::Behind(arrivals) => self.take(n, arrivals, guards),
            Look::Loaded(log) => {
                let anew = self.nodes[n].room.is_some();
                let node = &mut self.nodes[n];
                (node.base, node.room) = (log.len(), Some(log.clone()));
                node.early.retain(|_| !anew);
                for client in self.clients.iter_mut().filter(|client| matches!(client.at, At::On(m, _) if m == n)) {
                    (client.view, client.at) = (log.clone(), At::On(n, true));
                }
            }
            _ => {}
        }
        for c in 0..self.clients.len() {
            if self.clients[c].at == At::Wish(n, true) {
                self.follow(c, n, guards);
            }
        }
        if std::mem::take(&mut self.nodes[n].again) || self.clients.iter().any(|c| c.at == At::Wish(n, false)) {
            self.begin_look(n);
        }
    }

    // ---------------------------------------------------------------------------------- the clients

    fn follow(&mut self, c: usize, n: usize, guards: &Guards) {
        let (node, client) = (&self.nodes[n], &mut self.clients[c]);
        let Some(room) = &node.room else { return };
        let seq = client.view.len();
        let proved = if !guards.proof {
            client.view.truncate(room.len());
            true
        } else if seq > room.len() {
            false
        } else if seq < room.len() && seq <= node.base {
            self.log.get(seq - 1) == client.view.last()
        } else {
            room.get(seq - 1) == client.view.last()
        };
        if !proved {
            // Told: it throws away what it shows.
            client.view.clone_from(room);
        }
        client.at = At::On(n, client.view.len() >= room.len());
    }

    pub(super) fn catch_up(&mut self, c: usize, guards: &Guards) {
        let At::On(n, _) = self.clients[c].at else { return };
        let Some(room) = &self.nodes[n].room else { return };
        let (from, head) = (self.clients[c].view.len(), room.len());
        let known = self.log.get(head - 1) == room.last();
        let events = if from >= head {
            Vec::new()
        } else if from >= self.nodes[n].base {
            room[from..].to_vec()
        } else if guards.within && !known {
            return self.begin_look_unless_under_way(n);
        } else {
            let upto = if guards.within { head } else { self.log.len() };
            self.log.get(from..upto).unwrap_or_default().to_vec()
        };
        let client = &mut self.clients[c];
        client.view.extend(events);
        client.at = At::On(n, client.view.len() >= head);
    }
}
