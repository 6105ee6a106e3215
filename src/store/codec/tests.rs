//! The codec keeps what it is given, and is not upset by anything.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::Event;

fn id() -> impl Strategy<Value = uuid::Uuid> {
    any::<u128>().prop_map(uuid::Uuid::from_u128)
}

fn agent() -> impl Strategy<Value = AgentId> {
    id().prop_map(AgentId)
}

fn participant() -> impl Strategy<Value = ParticipantId> {
    id().prop_map(ParticipantId)
}

fn moment() -> impl Strategy<Value = Micros> {
    any::<u64>().prop_map(Micros)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,40}", "[a-z]{100,300}"]
}

fn media() -> impl Strategy<Value = Media> {
    prop_oneof![
        (id(), text()).prop_map(|(file, name)| Media::File { file: FileId(file), name }),
        text().prop_map(|url| Media::Link { url }),
        agent().prop_map(|agent| Media::Agent { agent }),
        text().prop_map(|json| Media::Address { json }),
        (text(), text(), text()).prop_map(|(mime, url, name)| Media::External { mime, url, name }),
    ]
}

fn post() -> impl Strategy<Value = Post> {
    let owner = prop_oneof![Just(Owner::System), agent().prop_map(Owner::Agent)];
    (owner, proptest::option::of(moment()), text(), vec(media(), 0..5)).prop_map(|(owner, parent, text, medias)| Post {
        owner,
        parent,
        text,
        medias,
    })
}

fn event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![Just(ChatKind::Direct), Just(ChatKind::Group), Just(ChatKind::Talk)];
    prop_oneof![
        (id(), kind, text(), text(), vec((agent(), participant()), 0..200)).prop_map(
            |(customer, kind, name, detail, members)| Event::ChatCreated {
                customer: CustomerId(customer),
                kind,
                name,
                detail,
                members
            }
        ),
        (text(), text()).prop_map(|(name, detail)| Event::ChatUpdated { name, detail }),
        Just(Event::ChatDeleted),
        post().prop_map(Event::MessageCreated),
        moment().prop_map(|message| Event::MessageDeleted { message }),
        (moment(), agent(), any::<bool>()).prop_map(|(message, agent, added)| Event::ReactionChanged {
            message,
            agent,
            added
        }),
        (agent(), participant()).prop_map(|(agent, participant)| Event::ParticipantAdded { agent, participant }),
        (agent(), participant(), moment()).prop_map(|(agent, participant, joined)| Event::ParticipantRemoved {
            agent,
            participant,
            joined
        }),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    (0u64..1 << 40, moment(), any::<u64>(), event()).prop_map(|(seq, at, nonce, event)| Record {
        seq,
        at,
        nonce: Nonce(nonce),
        event,
    })
}

fn touched() -> impl Strategy<Value = Overlay> {
    let reaction = (text(), agent(), moment()).prop_map(|(emoji, agent, at)| Reaction { emoji, agent, at });
    (vec(reaction, 0..20), moment(), any::<bool>()).prop_map(|(reactions, updated, deleted)| Overlay {
        reactions,
        updated: Some(updated),
        deleted,
    })
}

proptest! {
    #[test]
    fn an_entry_is_read_as_it_was_written(record in record()) {
        let bytes = entry(&record);
        prop_assert_eq!(read_entry(record.at, &bytes).unwrap(), record);
    }

    #[test]
    fn number_nonce_and_kind_of_an_entry_stand_where_a_script_looks(record in record()) {
        let bytes = entry(&record);
        prop_assert_eq!(bytes[0], VERSION);
        prop_assert_eq!(&bytes[1..NONCE_OFFSET], &record.seq.to_be_bytes()[3..]);
        prop_assert_eq!(&bytes[NONCE_OFFSET..KIND_OFFSET], &record.nonce.0.to_be_bytes()[..]);
        prop_assert_eq!(bytes[KIND_OFFSET] == KIND_MESSAGE, matches!(record.event, Event::MessageCreated(_)));
        prop_assert_eq!(&bytes[NONCE_OFFSET..], &tail(record.nonce, &record.event)[..]);
    }

    #[test]
    fn an_entry_that_was_cut_short_is_refused(record in record(), cut in any::<prop::sample::Index>()) {
        let bytes = entry(&record);
        prop_assert!(read_entry(record.at, &bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn an_emptied_message_never_takes_more_room(record in record(), post in post()) {
        let full = Record { event: Event::MessageCreated(post.clone()), ..record.clone() };
        let empty = Record { event: Event::MessageCreated(post.emptied()), ..record };
        prop_assert!(entry(&empty).len() <= entry(&full).len());
    }

    #[test]
    fn zeros_behind_an_entry_are_not_seen(record in record(), zeros in 0usize..5_000) {
        let mut bytes = entry(&record);
        bytes.resize(bytes.len() + zeros, 0);
        prop_assert_eq!(read_entry(record.at, &bytes).unwrap(), record);
    }

    #[test]
    fn an_overlay_is_read_as_it_was_written(overlay in touched()) {
        prop_assert_eq!(read_overlay(&super::overlay(&overlay)).unwrap(), overlay);
    }

    #[test]
    fn open_moments_of_an_overlay_stand_last(overlay in touched(), agent in agent(), now in 1u64..) {
        let now = Micros(now);
        let mut open = overlay.clone();
        open.updated = Some(Micros::ZERO);
        let mut closed = overlay;
        closed.updated = Some(now);
        if let Some(next) = open.with("new", agent, Micros::ZERO) {
            open = next;
            closed = closed.with("new", agent, now).unwrap();
        }
        let mut bytes = super::overlay(&open);
        let count = open_moments(&open);
        let len = bytes.len();
        for place in bytes[len - 8 * count..].chunks_mut(8) {
            prop_assert_eq!(&*place, &[0; 8]);
            place.copy_from_slice(&now.0.to_be_bytes());
        }
        prop_assert_eq!(read_overlay(&bytes).unwrap(), closed);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..400)) {
        let _ = read_entry(Micros(1), &bytes);
        let _ = read_overlay(&bytes);
    }

    #[test]
    fn a_damaged_entry_is_read_or_refused(
        record in record(), place in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = entry(&record);
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let _ = read_entry(record.at, &bytes);
        let _ = read_overlay(&bytes);
    }

    #[test]
    fn another_version_is_refused_by_name(record in record(), version in any::<u8>()) {
        prop_assume!(version != VERSION);
        let mut bytes = entry(&record);
        bytes[0] = version;
        for outcome in [read_entry(record.at, &bytes).map(drop), read_overlay(&bytes).map(drop)] {
            let why = outcome.unwrap_err().to_string();
            prop_assert!(why.contains(&format!("version {version};")), "{}", why);
        }
    }
}

#[test]
fn an_untouched_message_has_no_overlay_bytes() {
    assert!(overlay(&Overlay::default()).is_empty());
    assert_eq!(read_overlay(&[]).unwrap(), Overlay::default());
}

#[test]
fn a_count_beyond_what_is_there_takes_no_memory() {
    // Version, flags, and a count of two thousand million reactions, of which none follows.
    assert!(read_overlay(&[VERSION, 0, 0xff, 0xff, 0xff, 0xff, 0x07]).is_err());
}
