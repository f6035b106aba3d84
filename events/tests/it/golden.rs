//! `tests/golden.txt` contains the bytes of one event of each version that was ever written, one per line:
//! `<type>.v<version> <hexadecimal>`. A failure means that existing logs would be decoded wrongly.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use feedmill_events::{
    Envelope, Event, EventType,
    event::{v1, v2},
    id,
};
use uuid::Uuid;

fn object_id(n: u64) -> Uuid {
    id::compose(1_700_000_000_000, 0x123, n, None)
}

/// One event of each type in its newest version.
pub fn samples() -> Vec<Envelope> {
    let parent = v1::Parent {
        post: object_id(6),
        author: object_id(2),
    };
    let events = vec![
        Event::AccountCreated(v1::AccountCreated {
            account: object_id(1),
            handle: "miller".to_owned(),
            display_name: "The Miller 🌾".to_owned(),
        }),
        Event::ProfileChanged(v1::ProfileChanged {
            account: object_id(1),
            handle: "old_miller".to_owned(),
            display_name: "The Miller".to_owned(),
            bio: "grinds".to_owned(),
        }),
        Event::SettingsChanged(v1::SettingsChanged {
            account: object_id(1),
            default_audience: v1::Audience::Connections,
            who_may_message: v1::WhoMayMessage::Connections,
        }),
        Event::AccountFollowed(v1::AccountFollowed {
            follower: object_id(1),
            followee: object_id(2),
        }),
        Event::AccountUnfollowed(v1::AccountUnfollowed {
            follower: object_id(1),
            followee: object_id(2),
            followed_at: 1_690_000_000_000,
        }),
        Event::PostCreated(v2::PostCreated {
            post: object_id(7),
            author: object_id(1),
            reply_to: Some(parent),
            text: "naïve 東京".to_owned(),
            root_author: Some(object_id(3)),
            audience: None,
        }),
        Event::PostEdited(v1::PostEdited {
            post: object_id(7),
            author: object_id(1),
            text: "naïve 東京!".to_owned(),
        }),
        Event::AudienceChanged(v1::AudienceChanged {
            post: object_id(7),
            author: object_id(1),
            audience: v1::Audience::Tags(vec![object_id(10), object_id(11)]),
        }),
        Event::PostDeleted(v1::PostDeleted {
            post: object_id(7),
            author: object_id(1),
            reply_to: None,
        }),
        Event::PostLiked(v1::PostLiked {
            post: object_id(7),
            author: object_id(1),
            user: object_id(2),
        }),
        Event::PostUnliked(v1::PostUnliked {
            post: object_id(7),
            author: object_id(1),
            user: object_id(2),
            liked_at: 1_690_000_000_001,
        }),
        Event::PostBookmarked(v1::PostBookmarked {
            post: object_id(7),
            user: object_id(2),
        }),
        Event::PostUnbookmarked(v1::PostUnbookmarked {
            post: object_id(7),
            user: object_id(2),
            bookmarked_at: 1_690_000_000_001,
        }),
        Event::ConversationCreated(v2::ConversationCreated {
            conversation: object_id(8),
            members: vec![object_id(1), object_id(2)],
            title: Some("Harvest".to_owned()),
            creator: Some(object_id(2)),
        }),
        Event::MessageSent(v1::MessageSent {
            conversation: object_id(8),
            message: object_id(9),
            sender: object_id(1),
            text: "hello".to_owned(),
        }),
        Event::MessageDeleted(v1::MessageDeleted {
            conversation: object_id(8),
            message: object_id(9),
            sender: object_id(1),
        }),
        Event::ConversationRead(v1::ConversationRead {
            conversation: object_id(8),
            user: object_id(2),
            up_to: object_id(9),
        }),
        Event::FeedRead(v1::FeedRead {
            user: object_id(2),
            up_to: object_id(7),
        }),
        Event::ConversationMuted(v1::ConversationMuted {
            conversation: object_id(8),
            user: object_id(2),
        }),
        Event::ConversationUnmuted(v1::ConversationUnmuted {
            conversation: object_id(8),
            user: object_id(2),
        }),
        Event::ConversationRenamed(v1::ConversationRenamed {
            conversation: object_id(8),
            user: object_id(2),
            title: Some("After the harvest".to_owned()),
        }),
        Event::MemberAdded(v1::MemberAdded {
            conversation: object_id(8),
            user: object_id(3),
            added_by: object_id(2),
            since: object_id(9),
        }),
        Event::MemberLeft(v1::MemberLeft {
            conversation: object_id(8),
            user: object_id(3),
            until: object_id(10),
        }),
        Event::NotificationsRead(v1::NotificationsRead {
            user: object_id(2),
            up_to: object_id(10),
        }),
        Event::ConnectionRequested(v1::ConnectionRequested {
            from: object_id(1),
            to: object_id(2),
        }),
        Event::ConnectionRequestEnded(v1::ConnectionRequestEnded {
            from: object_id(1),
            to: object_id(2),
            requested_at: 1_690_000_000_002,
            declined: true,
        }),
        Event::ConnectionMade(v1::ConnectionMade {
            account: object_id(1),
            other: object_id(2),
            requester: object_id(2),
            requested_at: Some(1_690_000_000_003),
        }),
        Event::ConnectionEnded(v1::ConnectionEnded {
            account: object_id(1),
            other: object_id(2),
            requester: object_id(2),
            connected_at: 1_690_000_000_004,
        }),
        Event::AccountMuted(v1::AccountMuted {
            muter: object_id(1),
            muted: object_id(2),
        }),
        Event::AccountUnmuted(v1::AccountUnmuted {
            muter: object_id(1),
            muted: object_id(2),
            muted_at: 1_690_000_000_005,
        }),
        Event::AccountBlocked(v1::AccountBlocked {
            account: object_id(1),
            other: object_id(2),
            blocker: object_id(2),
        }),
        Event::AccountUnblocked(v1::AccountUnblocked {
            account: object_id(1),
            other: object_id(2),
            blocker: object_id(2),
            blocked_at: 1_690_000_000_001,
        }),
        Event::TagCreated(v1::TagCreated {
            tag: object_id(20),
            owner: object_id(1),
            name: "family".to_owned(),
        }),
        Event::TagRenamed(v1::TagRenamed {
            tag: object_id(20),
            owner: object_id(1),
            name: "kin".to_owned(),
        }),
        Event::TagDeleted(v1::TagDeleted {
            tag: object_id(20),
            owner: object_id(1),
        }),
        Event::TagMemberAdded(v1::TagMemberAdded {
            tag: object_id(20),
            owner: object_id(1),
            member: object_id(2),
        }),
        Event::TagMemberRemoved(v1::TagMemberRemoved {
            tag: object_id(20),
            owner: object_id(1),
            member: object_id(2),
            added_at: 1_690_000_000_006,
        }),
    ];
    events.into_iter().map(envelope).collect()
}

fn envelope(event: Event) -> Envelope {
    Envelope {
        at: 1_700_000_000_123,
        event,
    }
}

/// The event that an older version upcasts to, where it differs from the sample of the newest version: the older
/// version lacks a field.
fn upcast(name: &str) -> Option<Envelope> {
    match name {
        "conversation.created.v1" => Some(envelope(Event::ConversationCreated(
            v2::ConversationCreated {
                conversation: object_id(8),
                members: vec![object_id(1), object_id(2)],
                title: Some("Harvest".to_owned()),
                creator: None,
            },
        ))),
        "post.created.v1" => Some(envelope(Event::PostCreated(v2::PostCreated {
            post: object_id(7),
            author: object_id(1),
            reply_to: Some(v1::Parent {
                post: object_id(6),
                author: object_id(2),
            }),
            text: "naïve 東京".to_owned(),
            root_author: None,
            audience: None,
        }))),
        _ => None,
    }
}

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden.txt");

/// The hexadecimal bytes by `<type>.v<version>`.
fn golden() -> BTreeMap<String, String> {
    let file = fs::read_to_string(Path::new(GOLDEN)).unwrap();
    let lines = file.lines().map(|line| line.split_once(' ').unwrap());
    lines
        .map(|(name, hex)| (name.to_owned(), hex.to_owned()))
        .collect()
}

fn name(event_type: EventType) -> String {
    format!("{event_type}.v{}", event_type.version())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}

#[test]
fn every_type_has_a_sample() {
    let types: Vec<_> = samples().iter().map(|s| s.event.event_type()).collect();
    assert_eq!(types, EventType::ALL);
}

/// A new type or version needs a line of its own; `GOLDEN=write cargo test -p feedmill-events` adds what is missing and
/// never changes a line that is there.
#[test]
fn every_event_still_has_its_golden_bytes() {
    let mut golden = golden();
    for sample in samples() {
        let name = name(sample.event.event_type());
        let bytes = hex(&sample.encode().unwrap());
        if std::option_env!("GOLDEN").is_some() {
            golden.entry(name.clone()).or_insert(bytes.clone());
        }
        let expected = golden.get(&name);
        let expected = expected.unwrap_or_else(|| panic!("{name} has no line in golden.txt"));
        assert_eq!(&bytes, expected, "{name}");
    }
    if std::option_env!("GOLDEN").is_some() {
        let lines: Vec<_> = golden
            .iter()
            .map(|(name, hex)| format!("{name} {hex}\n"))
            .collect();
        fs::write(GOLDEN, lines.concat()).unwrap();
    }
}

#[test]
fn every_golden_line_decodes_to_its_sample() {
    let samples: BTreeMap<_, _> = samples()
        .into_iter()
        .map(|sample| (sample.event.event_type().name(), sample))
        .collect();
    for (name, hex) in golden() {
        let decoded =
            Envelope::decode(&unhex(&hex)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (event_type, _) = name.rsplit_once(".v").unwrap();
        let expected = upcast(&name).unwrap_or_else(|| samples[event_type].clone());
        assert_eq!(decoded, expected, "{name}");
    }
}
