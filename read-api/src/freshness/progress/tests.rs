use feedmill_events::{Advance, Partition};

use super::*;

fn checkpoint(generation: i32, seq: i64) -> Checkpoint {
    let partition = Partition::try_from(3u8).unwrap();
    Checkpoint {
        projection: Projection::Feed,
        generation,
        partition,
        seq,
    }
}

fn send(progress: &Progress, generation: i32, advances: Vec<Advance>, changed: Changed) {
    let announcement = Announcement {
        projection: Projection::Feed,
        generation,
        progress: advances,
        changed,
    };
    progress.apply_announcement(&announcement.encode().unwrap());
}

fn announce(progress: &Progress, generation: i32, seq: i64) {
    let advance = Advance {
        partition: Partition::try_from(3u8).unwrap(),
        from: seq - 1,
        to: seq,
    };
    send(progress, generation, vec![advance], Changed::Tags(vec![]));
}

fn go_live(progress: &Progress, generation: i32, equals: i32) {
    send(progress, generation, vec![], Changed::Generation { equals });
}

fn progress() -> Progress {
    Progress::new(TagVersions::default())
}

/// Receives announcements, and has polled once.
fn subscribed() -> Progress {
    let progress = progress();
    progress.subscribed();
    poll(&progress, 1, 4);
    progress
}

fn poll(progress: &Progress, generation: i32, seq: i64) {
    let subscription = progress.subscription();
    progress.apply_checkpoints(&[checkpoint(generation, seq)], subscription);
}

fn applied(progress: &Progress, position: &str) -> bool {
    progress.has_applied(&position.parse().unwrap(), &[Projection::Feed])
}

fn recorded(progress: &Progress, position: &str) -> bool {
    progress.has_recorded(&position.parse().unwrap(), &[Projection::Feed])
}

#[test]
fn announcements_count_once_their_generation_is_known_to_be_live() {
    let progress = progress();
    announce(&progress, 1, 5);
    assert!(!applied(&progress, "3:1"), "the live generation is unknown");
    poll(&progress, 1, 4);
    announce(&progress, 2, 9);
    assert!(
        applied(&progress, "3:4") && !applied(&progress, "3:5"),
        "generation 2 is not live"
    );
    announce(&progress, 1, 5);
    assert!(applied(&progress, "3:5") && !applied(&progress, "3:5,4:1"));
    assert!(!recorded(&progress, "3:1"), "not subscribed");
    progress.apply_announcement(b"no announcement");
}

#[test]
fn positions_never_move_back_within_a_generation() {
    let progress = progress();
    poll(&progress, 1, 4);
    announce(&progress, 1, 9);
    poll(&progress, 1, 5);
    assert!(
        applied(&progress, "3:9"),
        "the announcement was faster than the poll"
    );
    poll(&progress, 2, 5);
    assert!(!applied(&progress, "3:9") && applied(&progress, "3:5"));
}

#[test]
fn a_gap_between_announcements_invalidates_everything() {
    let progress = subscribed();
    let versions = &progress.0.tag_versions;
    let loaded = versions.current();
    announce(&progress, 1, 5);
    poll(&progress, 1, 6);
    announce(&progress, 1, 6);
    poll(&progress, 1, 6);
    poll(&progress, 1, 6);
    assert!(recorded(&progress, "3:6") && versions.unchanged_since(loaded, &[]));
    announce(&progress, 1, 8);
    assert!(recorded(&progress, "3:8") && !versions.unchanged_since(loaded, &[]));
}

#[test]
fn the_second_poll_reveals_a_lost_announcement() {
    let progress = subscribed();
    let versions = &progress.0.tag_versions;
    let loaded = versions.current();
    poll(&progress, 1, 7);
    assert!(
        versions.unchanged_since(loaded, &[]),
        "the announcement may be on its way"
    );
    assert!(applied(&progress, "3:7") && !recorded(&progress, "3:7"));
    poll(&progress, 1, 7);
    assert!(recorded(&progress, "3:7") && !versions.unchanged_since(loaded, &[]));
}

#[test]
fn a_different_generation_invalidates_everything() {
    let progress = subscribed();
    let versions = &progress.0.tag_versions;
    let loaded = versions.current();
    poll(&progress, 2, 4);
    assert!(recorded(&progress, "3:4") && !versions.unchanged_since(loaded, &[]));
    let loaded = versions.current();
    announce(&progress, 2, 5);
    assert!(recorded(&progress, "3:5") && versions.unchanged_since(loaded, &[]));
}

#[test]
fn an_equal_generation_invalidates_nothing() {
    let progress = subscribed();
    let versions = &progress.0.tag_versions;
    let loaded = versions.current();
    go_live(&progress, 2, 1);
    announce(&progress, 2, 5);
    poll(&progress, 2, 5);
    poll(&progress, 2, 5);
    assert!(recorded(&progress, "3:5") && versions.unchanged_since(loaded, &[]));
}

#[test]
fn a_generation_that_equals_an_unknown_one_invalidates_everything() {
    let progress = subscribed();
    let versions = &progress.0.tag_versions;
    let loaded = versions.current();
    go_live(&progress, 3, 2);
    announce(&progress, 3, 5);
    assert!(!recorded(&progress, "3:5"));
    poll(&progress, 3, 5);
    assert!(recorded(&progress, "3:5") && !versions.unchanged_since(loaded, &[]));
}

#[test]
fn announcements_of_a_generation_before_it_is_known_to_be_equal_are_lost() {
    let progress = subscribed();
    let versions = &progress.0.tag_versions;
    let loaded = versions.current();
    announce(&progress, 2, 5);
    go_live(&progress, 2, 1);
    assert!(!recorded(&progress, "3:5"));
    announce(&progress, 2, 6);
    assert!(recorded(&progress, "3:6") && !versions.unchanged_since(loaded, &[]));
}

#[test]
fn a_poll_from_before_an_interruption_does_not_end_it() {
    let progress = progress();
    progress.subscribed();
    let before = progress.subscription();
    progress.subscription_lost();
    progress.subscribed();
    progress.apply_checkpoints(&[checkpoint(1, 4)], before);
    assert!(!recorded(&progress, "3:1"));
    poll(&progress, 1, 4);
    assert!(recorded(&progress, "3:4"));
}
