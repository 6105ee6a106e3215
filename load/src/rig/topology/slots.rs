//! Moving slots between the primaries of a Cluster while it lives; a move can be held half-way.

use super::cluster;
use super::{Topology, place_of};
use crate::rig::redis::Server;
use crate::rig::{Error, Result, patience};

/// Slots of a Cluster.
pub const SLOTS: u16 = 16_384;

/// Keys moved at once.
const KEYS_AT_ONCE: usize = 10;
/// How long the other server may take to take keys in.
const TAKEN_WITHIN_MS: &str = "1500";

/// A slot on its way from one primary to another: clients are sent to and fro with ASK. Dropping this changes nothing; the
/// slot stays half-way.
#[derive(Debug)]
pub struct Move<'a> {
    topology: &'a Topology,
    slot: u16,
    from: usize,
    to: usize,
}

impl Topology {
    /// Who has the slot, by what all who live agree on. Waits until they do.
    pub async fn owner_of(&self, slot: u16) -> Result<usize> {
        patience::eventually("all nodes agree on the owner of a slot", async || {
            let mut agreed = None;
            for server in self.running() {
                let known = cluster::nodes(server).await?;
                let owner = known.iter().find(|node| node.has(slot)).map(|node| node.port);
                if *agreed.get_or_insert(owner) != owner {
                    return Ok(None);
                }
            }
            agreed.flatten().map(|port| place_of(port, &self.members)).transpose()
        })
        .await
    }

    /// The slot of a key.
    pub async fn slot_of(&self, key: &str) -> Result<u16> {
        self.server(0)?.ask(&["CLUSTER", "KEYSLOT", key]).await
    }

    /// Begins to move a slot. No key moves yet, but new ones are made at the new place.
    pub async fn begin_move(&self, slot: u16, to: usize) -> Result<Move<'_>> {
        let from = self.owner_of(slot).await?;
        if from == to {
            return Err(Error::Unexpected(format!("slot {slot} is at the server {to} already")));
        }
        let (giver, taker) = (self.server(from)?, self.server(to)?);
        let (giver_id, taker_id) = (id(giver).await?, id(taker).await?);
        let number = slot.to_string();
        taker.ask::<String>(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &giver_id]).await?;
        giver.ask::<String>(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &taker_id]).await?;
        Ok(Move { topology: self, slot, from, to })
    }

    /// Moves slots one after the other, with all their keys. Those that are at `to` already are left.
    pub async fn reshard(&self, slots: impl IntoIterator<Item = u16>, to: usize) -> Result<()> {
        for slot in slots {
            if self.owner_of(slot).await? != to {
                self.begin_move(slot, to).await?.finish().await?;
            }
        }
        Ok(())
    }
}

impl Move<'_> {
    pub fn slot(&self) -> u16 {
        self.slot
    }

    /// Who gives the slot away.
    pub fn from(&self) -> usize {
        self.from
    }

    /// Who gets it.
    pub fn to(&self) -> usize {
        self.to
    }

    /// Moves some keys, `count` at most. Says how many; 0 when none are left.
    pub async fn carry(&self, count: usize) -> Result<usize> {
        let (giver, taker) = (self.topology.server(self.from)?, self.topology.server(self.to)?);
        let words = ["CLUSTER", "GETKEYSINSLOT", &self.slot.to_string(), &count.to_string()];
        let keys: Vec<Vec<u8>> = giver.ask(&words).await?;
        if !keys.is_empty() {
            let mut command = redis::cmd("MIGRATE");
            command.arg("127.0.0.1").arg(taker.port()).arg("").arg(0).arg(TAKEN_WITHIN_MS).arg("KEYS").arg(&keys);
            giver.query::<String>(&command).await?;
        }
        Ok(keys.len())
    }

    /// Moves the keys that are left, and tells all primaries. Returns when everybody agrees.
    pub async fn finish(self) -> Result<()> {
        while self.carry(KEYS_AT_ONCE).await? > 0 {}
        self.settle(self.to).await
    }

    /// Calls it off: moves what had been moved back, and everything is as it was.
    pub async fn call_off(self) -> Result<()> {
        let (giver, taker) = (self.topology.server(self.from)?, self.topology.server(self.to)?);
        let stable = ["CLUSTER", "SETSLOT", &self.slot.to_string(), "STABLE"];
        giver.ask::<String>(&stable).await?;
        // The taker may move keys of a slot that is not its own only while it is importing it.
        let back = Move { topology: self.topology, slot: self.slot, from: self.to, to: self.from };
        while back.carry(KEYS_AT_ONCE).await? > 0 {}
        taker.ask::<String>(&stable).await.map(drop)
    }

    /// Tells the new owner first, so that the slot is never without one.
    async fn settle(&self, owner: usize) -> Result<()> {
        let topology = self.topology;
        let owner_id = id(topology.server(owner)?).await?;
        let number = self.slot.to_string();
        let mut order = vec![owner];
        order.extend(topology.primaries().await?.into_iter().filter(|place| *place != owner));
        for place in order {
            topology.server(place)?.ask::<String>(&["CLUSTER", "SETSLOT", &number, "NODE", &owner_id]).await?;
        }
        patience::eventually("the slot has found its owner", async || {
            Ok((topology.owner_of(self.slot).await? == owner).then_some(()))
        })
        .await
    }
}

async fn id(server: &Server) -> Result<String> {
    server.ask(&["CLUSTER", "MYID"]).await
}
