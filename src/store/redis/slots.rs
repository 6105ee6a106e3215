//! Slots: which server has which keys, as far as is known.
//!
//! A cluster cuts the keys into [`SLOTS`] slots by a hash of the tag in braces. A single server
//! has all of them; there the slot only chooses the lane, so that what belongs to one chat or
//! customer goes one way, in order.

use std::sync::Arc;

use super::node::Node;

/// Slots of a cluster; fixed by its protocol.
pub(crate) const SLOTS: u16 = 16_384;

/// The slot of a key or channel.
pub(crate) fn slot(key: &str) -> u16 {
    let tag = key.find('{').and_then(|open| {
        let rest = &key[open + 1..];
        // Empty braces are no tag.
        rest.find('}').filter(|close| *close > 0).map(|close| &rest[..close])
    });
    crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key).as_bytes()) % SLOTS
}

/// Which server has which slots.
#[derive(Clone, Default)]
pub(crate) struct Map {
    /// Every server with slots, once.
    pub(crate) nodes: Vec<Arc<Node>>,
    /// For each slot the place of its server in `nodes`; empty when one server has them all.
    owners: Vec<Option<u16>>,
}

impl Map {
    /// One server has everything.
    pub(crate) fn one(node: Arc<Node>) -> Self {
        Self { nodes: vec![node], owners: Vec::new() }
    }

    /// The servers and the slots of each, first and last.
    pub(crate) fn cut(ranges: &[(u16, u16, Arc<Node>)]) -> Self {
        let mut map = Self { nodes: Vec::new(), owners: vec![None; usize::from(SLOTS)] };
        for (first, last, node) in ranges {
            let place = map.place(node);
            for slot in *first..=(*last).min(SLOTS - 1) {
                map.owners[usize::from(slot)] = Some(place);
            }
        }
        map
    }

    fn place(&mut self, node: &Arc<Node>) -> u16 {
        let found = self.nodes.iter().position(|known| known.id == node.id);
        found.unwrap_or_else(|| {
            self.nodes.push(Arc::clone(node));
            self.nodes.len() - 1
        }) as u16
    }

    /// The same, but this slot is that server's.
    pub(crate) fn with(&self, slot: u16, node: &Arc<Node>) -> Self {
        let mut map = self.clone();
        if map.owners.is_empty() {
            return map;
        }
        let place = map.place(node);
        if let Some(owner) = map.owners.get_mut(usize::from(slot)) {
            *owner = Some(place);
        }
        map
    }

    /// The server of this slot; `None` while none is known.
    pub(crate) fn node(&self, slot: u16) -> Option<&Arc<Node>> {
        if self.owners.is_empty() {
            return self.nodes.first();
        }
        let place = (*self.owners.get(usize::from(slot))?)?;
        self.nodes.get(usize::from(place))
    }

    /// Whether every slot has a server.
    pub(crate) fn is_whole(&self) -> bool {
        !self.nodes.is_empty() && self.owners.iter().all(Option::is_some)
    }

    /// Whether both say the same.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        let ids = |map: &Self| map.nodes.iter().map(|node| node.id).collect::<Vec<_>>();
        ids(self) == ids(other) && self.owners == other.owners
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        let known = [("123456789", 12_739), ("foo", 12_182), ("{user1000}.following", 3_443), ("foo{}{bar}", 8_363)];
        for (key, expected) in known {
            assert_eq!(slot(key), expected, "{key}");
        }
        assert_eq!(slot("talk:{0123456789abcdef}:m"), slot("other:{0123456789abcdef}:l:7"));
    }
}
