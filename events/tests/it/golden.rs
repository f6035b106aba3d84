//! `tests/golden/<type>.v<version>.hex` holds the bytes of one event of each version that was ever written, as
//! they were when it was new. A test that fails here has found a change that would misread the log.

use std::{fmt::Write, fs, path::PathBuf};

use feedmill_events::{
    Envelope, Event,
    event::{TYPES, v1, v2},
    id,
};
use uuid::Uuid;

fn thing(n: u64) -> Uuid {
    id::compose(1_700_000_000_000, 0x123, n, None)
}

/// One event of each type in its newest version.
pub fn samples() -> Vec<Envelope> {
    let parent = v1::Parent {
        post: thing(6),
        author: thing(2),
    };
    let events = vec![
        Event::AccountCreated(v1::AccountCreated {
            account: thing(1),
            handle: "miller".to_owned(),
            display_name: "The Miller 🌾".to_owned(),
        }),
        Event::ProfileChanged(v1::ProfileChanged {
            account: thing(1),
            handle: "old_miller".to_owned(),
            display_name: "The Miller".to_owned(),
            bio: "grinds".to_owned(),
        }),
        Event::AccountFollowed(v1::AccountFollowed {
            follower: thing(1),
            followee: thing(2),
        }),
        Event::AccountUnfollowed(v1::AccountUnfollowed {
            follower: thing(1),
            followee: thing(2),
            followed_at: 1_690_000_000_000,
        }),
        Event::PostCreated(v1::PostCreated {
            post: thing(7),
            author: thing(1),
            reply_to: Some(parent),
            text: "naïve 東京".to_owned(),
        }),
        Event::PostDeleted(v1::PostDeleted {
            post: thing(7),
            author: thing(1),
            reply_to: None,
        }),
        Event::PostLiked(v1::PostLiked {
            post: thing(7),
            author: thing(1),
            user: thing(2),
        }),
        Event::PostUnliked(v1::PostUnliked {
            post: thing(7),
            author: thing(1),
            user: thing(2),
            liked_at: 1_690_000_000_001,
        }),
        Event::ConversationCreated(v2::ConversationCreated {
            conversation: thing(8),
            members: vec![thing(1), thing(2)],
            title: Some("Harvest".to_owned()),
            creator: Some(thing(2)),
        }),
        Event::MessageSent(v1::MessageSent {
            conversation: thing(8),
            message: thing(9),
            sender: thing(1),
            text: "hello".to_owned(),
        }),
        Event::ConversationRead(v1::ConversationRead {
            conversation: thing(8),
            user: thing(2),
            up_to: thing(9),
        }),
        Event::NotificationsRead(v1::NotificationsRead {
            user: thing(2),
            up_to: thing(10),
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

/// What an event that was stored in an older version must be read as, where that is not the sample of today:
/// it cannot say what its version did not know.
fn upcast(kind: &str, version: u16) -> Option<Envelope> {
    match (kind, version) {
        ("conversation.created", 1) => Some(envelope(Event::ConversationCreated(
            v2::ConversationCreated {
                conversation: thing(8),
                members: vec![thing(1), thing(2)],
                title: Some("Harvest".to_owned()),
                creator: None,
            },
        ))),
        _ => None,
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let text = text.trim();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}

#[test]
fn there_is_a_sample_of_every_type() {
    let names: Vec<_> = samples().iter().map(|sample| sample.event.name()).collect();
    assert_eq!(names, TYPES);
}

/// A new version needs its own file; `GOLDEN=write cargo test -p feedmill-events` makes those that are missing,
/// and never touches one that is there.
#[test]
fn every_event_still_has_its_golden_bytes() {
    for sample in samples() {
        let name = format!("{}.v{}.hex", sample.event.name(), sample.event.version());
        let path = folder().join(&name);
        let bytes = sample.encode().unwrap();
        if !path.exists() && std::option_env!("GOLDEN").is_some() {
            fs::write(&path, hex(&bytes) + "\n").unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_else(|_| panic!("{name} is missing"));
        assert_eq!(hex(&bytes), golden.trim(), "{name}");
    }
}

/// Every file, of old versions too, decodes to an event of today.
#[test]
fn every_golden_file_is_still_understood() {
    let mut files = 0;
    for file in fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (kind, version) = name
            .strip_suffix(".hex")
            .and_then(|name| name.rsplit_once(".v"))
            .unwrap();
        let bytes = unhex(&fs::read_to_string(&path).unwrap());
        let decoded = Envelope::decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let sample = upcast(kind, version.parse().unwrap()).unwrap_or_else(|| {
            let mut samples = samples().into_iter();
            samples.find(|sample| sample.event.name() == kind).unwrap()
        });
        assert_eq!(decoded, sample, "{name}");
        files += 1;
    }
    assert!(files >= TYPES.len(), "{files} files");
}
