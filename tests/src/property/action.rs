//! What a random sequence is made of. Actions name things by number, counted round over what there is when
//! they run, so that a sequence from which some are left out still means something.

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

/// The n-th of something, counted round.
pub type Pick = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Account,
    /// A handle that nobody has, or (taken) somebody's.
    Rename {
        who: Pick,
        taken: Option<Pick>,
    },
    DisplayName {
        who: Pick,
        name: usize,
    },
    Bio {
        who: Pick,
        text: usize,
    },
    Post {
        who: Pick,
        text: usize,
    },
    Reply {
        who: Pick,
        post: Pick,
        text: usize,
    },
    /// A post of theirs that stands, or any.
    Delete {
        who: Pick,
        post: Pick,
        own: bool,
    },
    Like {
        who: Pick,
        post: Pick,
    },
    Unlike {
        who: Pick,
        post: Pick,
    },
    Follow {
        who: Pick,
        whom: Pick,
    },
    Unfollow {
        who: Pick,
        whom: Pick,
    },
    Pair {
        who: Pick,
        with: Pick,
    },
    Group {
        who: Pick,
        with: [Pick; 2],
        titled: bool,
    },
    /// Into a conversation of theirs, or any.
    Message {
        who: Pick,
        conversation: Pick,
        own: bool,
        text: usize,
    },
    /// Up to a message of that conversation, or (foreign) of any.
    MarkRead {
        who: Pick,
        conversation: Pick,
        message: Pick,
        own: bool,
        foreign: bool,
    },
    /// Up to one of theirs, or (unseen) to any post there is, or to what is yet to come.
    MarkNotifications {
        who: Pick,
        notification: Pick,
        unseen: bool,
        future: bool,
    },
    /// Every read is compared here and now.
    Compare,
}

/// The sequence of a seed: the same for ever, or the regression list would lose its meaning.
pub fn generate(seed: u64, commands: usize) -> Vec<Action> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut actions = vec![Action::Account; 3];
    // A few sequences are all about one thing, which finds what a mixture hides.
    let focus = rng.gen_range(0..5);
    for index in 0..commands {
        let action = one(&mut rng, focus);
        actions.push(action);
        if index % 60 == 59 {
            actions.push(Action::Compare);
        }
    }
    actions.push(Action::Compare);
    actions
}

/// Any command.
pub fn any(rng: &mut StdRng) -> Action {
    one(rng, u8::MAX)
}

fn one(rng: &mut StdRng, focus: u8) -> Action {
    const FEED: [usize; 13] = [3, 4, 4, 4, 5, 5, 6, 7, 8, 9, 9, 10, 15];
    const TALK: [usize; 8] = [11, 12, 13, 13, 13, 13, 14, 14];
    let kind = match focus {
        0 | 1 if rng.gen_bool(0.8) => *FEED.choose(rng).unwrap_or(&4),
        2 if rng.gen_bool(0.8) => *TALK.choose(rng).unwrap_or(&13),
        _ => rng.gen_range(0..16),
    };
    let mut pick = || rng.gen_range(0..1_000_usize);
    let (who, a, b, c) = (pick(), pick(), pick(), pick());
    // Most of the time what is allowed; now and then what is not.
    let own = rng.gen_bool(0.85);
    match kind {
        0 if rng.gen_bool(0.3) => Action::Account,
        0 => Action::Rename {
            who,
            taken: (!own).then_some(a),
        },
        1 => Action::DisplayName { who, name: a },
        2 => Action::Bio { who, text: a },
        3 | 4 => Action::Post { who, text: a },
        5 => Action::Reply {
            who,
            post: a,
            text: b,
        },
        6 => Action::Delete { who, post: a, own },
        7 => Action::Like { who, post: a },
        8 => Action::Unlike { who, post: a },
        9 => Action::Follow { who, whom: a },
        10 => Action::Unfollow { who, whom: a },
        11 => Action::Pair { who, with: a },
        12 => Action::Group {
            who,
            with: [a, b],
            titled: c % 2 == 0,
        },
        13 => Action::Message {
            who,
            conversation: a,
            own,
            text: b,
        },
        14 => Action::MarkRead {
            who,
            conversation: a,
            message: b,
            own,
            foreign: c % 10 == 0,
        },
        _ => Action::MarkNotifications {
            who,
            notification: a,
            unseen: b % 3 == 0,
            future: c % 10 == 0,
        },
    }
}
