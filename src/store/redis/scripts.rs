//! The Lua scripts: each is one atomic act. Their files say what they take and answer.
//!
//! A script is called by its hash. A server that does not know it (restarted, flushed, another
//! one after a failover) says so and has done nothing; it is then sent the text.

use redis::{Cmd, Script};

use super::keys::SEGMENT;
use super::stored;
use crate::store::codec;

/// A script's text and hash.
pub(crate) struct Source {
    script: Script,
    text: String,
}

impl Source {
    fn new(text: String) -> Self {
        Self { script: Script::new(&text), text }
    }

    /// The call of it, by hash, up to and including the keys; arguments follow.
    pub(crate) fn call(&self, keys: &[&str]) -> Cmd {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(self.script.get_hash()).arg(keys.len());
        for key in keys {
            cmd.arg(*key);
        }
        cmd
    }

    /// The command that makes a server know it.
    pub(crate) fn load(&self) -> Cmd {
        let mut cmd = redis::cmd("SCRIPT");
        cmd.arg("LOAD").arg(self.text.as_bytes());
        cmd
    }
}

macro_rules! scripts {
    ($($group:literal { $($name:ident),+ $(,)? })+) => {
        /// Every script that the hub runs.
        pub(crate) struct Scripts {
            publish: &'static str,
            $($(pub(crate) $name: Source,)+)+
        }

        impl Scripts {
            /// For a cluster or not.
            pub(crate) fn new(sharded: bool) -> Self {
                let publish = if sharded { "SPUBLISH" } else { "PUBLISH" };
                Self {
                    publish,
                    $($($name: Source::new(filled(
                        concat!($group, include_str!(concat!("scripts/", stringify!($name), ".lua"))), publish,
                    )),)+)+
                }
            }

            /// The verb that sends to a channel.
            pub(crate) fn publish(&self) -> &'static str {
                self.publish
            }
        }
    };
}

scripts! {
    // Those of a chat's log: with the part that they share in front.
    "@LOG@" { commit, page, pick, replies, events }
    "" {
        load, assure, rows, announce, forget, sweep, bury, claim_pair, claim_key, notify, insert, replace, remove,
        claim_name, drop_name,
    }
}

fn filled(text: &str, publish: &str) -> String {
    text.replace("@LOG@", include_str!("scripts/log.lua"))
        .replace("@SEGMENT@", &SEGMENT.to_string())
        .replace("@NONCE@", &(stored::NONCE_IN_VALUE + 1).to_string())
        .replace("@KIND@", &(stored::NONCE_IN_VALUE + codec::KIND_OFFSET - codec::NONCE_OFFSET + 1).to_string())
        .replace("@MESSAGE@", &codec::KIND_MESSAGE.to_string())
        .replace("@VERSION@", &format!("\\{:03}", codec::VERSION))
        .replace("@SETTLED@", if publish == "SPUBLISH" { "redis.call('EXISTS', base .. 'z')" } else { "" })
        .replace("@PUBLISH@", publish)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_fill_in() {
        let scripts = Scripts::new(true);
        for source in [&scripts.commit, &scripts.page, &scripts.announce, &scripts.notify] {
            assert!(!source.text.contains('@'), "{}", source.text);
        }
    }
}
