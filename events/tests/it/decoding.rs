//! No input makes the decoder panic or allocate without bound.

use feedmill_events::{Announcement, DecodeError, Envelope, EventType, MAX_EVENT_BYTES, Positions};
use proptest::{collection::vec, prelude::*};

use crate::golden::samples;

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in vec(any::<u8>(), 0..600)) {
        let _ = Envelope::decode(&bytes);
        let _ = Announcement::decode(&bytes);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = text.parse::<Positions>();
        }
    }

    /// Valid envelopes with bytes changed, removed and appended: they get further in the decoder than random bytes.
    #[test]
    fn damaged_envelopes_decode_or_are_refused(
        which in 0..EventType::ALL.len(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        more in vec(any::<u8>(), 0..20),
    ) {
        let mut bytes = samples()[which].encode().unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        bytes.extend(more);
        let _ = Envelope::decode(&bytes);
    }
}

#[test]
fn an_encoded_event_decodes_to_itself() {
    for sample in samples() {
        assert_eq!(Envelope::decode(&sample.encode().unwrap()).unwrap(), sample);
    }
}

#[test]
fn a_trailing_byte_is_refused() {
    for sample in samples() {
        let mut bytes = sample.encode().unwrap();
        bytes.push(0);
        assert!(matches!(
            Envelope::decode(&bytes),
            Err(DecodeError::Trailing(1))
        ));
    }
}

#[test]
fn a_wrong_length_does_not_allocate() {
    // A length of 2^63 bytes in an envelope of 17 bytes: it must be checked against the input.
    let mut bytes = vec![5];
    bytes.extend(b"x.new");
    bytes.extend([1, 0]);
    bytes.extend([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]);
    assert!(Envelope::decode(&bytes).is_err());
    assert!(matches!(
        Envelope::decode(&vec![0; MAX_EVENT_BYTES + 1]),
        Err(DecodeError::TooLarge(_))
    ));
}

#[test]
fn an_unknown_type_or_version_is_named_in_the_error() {
    let bytes = samples()[0].encode().unwrap();
    let at = bytes
        .windows(7)
        .position(|window| window == b"created")
        .unwrap();
    let mut unknown = bytes.clone();
    unknown[at] = b'k';
    let error = Envelope::decode(&unknown).unwrap_err();
    assert!(
        matches!(&error, DecodeError::Unknown { name, version: 1 } if name == "account.kreated"),
        "{error}"
    );
    let mut newer = bytes;
    newer[at + 7] = 9;
    assert!(matches!(
        Envelope::decode(&newer),
        Err(DecodeError::Unknown { version: 9, .. })
    ));
}
