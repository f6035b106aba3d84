//! All random commands, and sequences of them.

use anyhow::Result;
use rand::{Rng, rngs::StdRng};

use super::{
    accounts::{self, AccountCommand},
    blocks::{self, BlockCommand},
    connections::{self, ConnectionCommand},
    conversations::{self, ConversationCommand},
    feed::{self, FeedCommand},
    links::{self, LinkCommand},
    notifications::{self, NotificationCommand},
    posts::{self, PostCommand},
    random::{Kind, Pick, Theme, pick, source},
    state::State,
    tags::{self, TagCommand},
};

/// Commands between two comparisons.
const COMPARE_INTERVAL: usize = 60;

/// The command of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    pub who: Pick,
    pub command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Account(AccountCommand),
    Post(PostCommand),
    Link(LinkCommand),
    Connection(ConnectionCommand),
    Block(BlockCommand),
    Tag(TagCommand),
    Feed(FeedCommand),
    Conversation(ConversationCommand),
    Notification(NotificationCommand),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Act(Action),
    /// Compare every read.
    Compare,
}

/// All commands of a seed, in the order of their times.
pub struct Generator {
    streams: Vec<Stream>,
}

/// The commands of one kind.
struct Stream {
    rng: StdRng,
    /// Average time between two of them: a kind of p percent has p commands in 100 units of time, without a theme.
    interval: f64,
    next: f64,
    draw: Box<dyn Fn(&mut StdRng) -> Command + Send>,
}

impl Generator {
    /// A sequence that is about everything alike.
    pub fn mixed(seed: u64) -> Self {
        Self::new(seed, None)
    }

    /// About everything alike or mostly about one theme, as the seed decides.
    fn of_sequence(seed: u64) -> Self {
        let theme = match source(seed, "theme").gen_range(0..5) {
            0 | 1 => Some(Theme::Feed),
            2 => Some(Theme::Conversations),
            _ => None,
        };
        Self::new(seed, theme)
    }

    /// A sequence that is mostly about one theme.
    fn new(seed: u64, theme: Option<Theme>) -> Self {
        let mut generator = Self {
            streams: Vec::new(),
        };
        let mut add = Adder {
            generator: &mut generator,
            seed,
            theme,
        };
        add.kinds(accounts::kinds(), Command::Account);
        add.kinds(posts::kinds(), Command::Post);
        add.kinds(links::kinds(), Command::Link);
        add.kinds(connections::kinds(), Command::Connection);
        add.kinds(blocks::kinds(), Command::Block);
        add.kinds(tags::kinds(), Command::Tag);
        add.kinds(feed::kinds(), Command::Feed);
        add.kinds(conversations::kinds(), Command::Conversation);
        add.kinds(notifications::kinds(), Command::Notification);
        generator
    }

    /// The next command and its time.
    fn next_at(&mut self) -> (f64, Action) {
        let streams = self.streams.iter_mut();
        let stream = streams.min_by(|a, b| a.next.total_cmp(&b.next));
        let stream = stream.expect("at least one kind of command");
        let at = stream.next;
        let action = Action {
            who: pick(&mut stream.rng),
            command: (stream.draw)(&mut stream.rng),
        };
        stream.advance();
        (at, action)
    }

    pub fn next_action(&mut self) -> Action {
        self.next_at().1
    }
}

impl Stream {
    /// Times of a Poisson process: exponential intervals.
    fn advance(&mut self) {
        let uniform: f64 = self.rng.gen_range(f64::EPSILON..1.0);
        self.next -= self.interval * uniform.ln();
    }
}

struct Adder<'a> {
    generator: &'a mut Generator,
    seed: u64,
    theme: Option<Theme>,
}

impl Adder<'_> {
    fn kinds<C: 'static>(&mut self, kinds: Vec<Kind<C>>, wrap: fn(C) -> Command) {
        for kind in kinds {
            let share = match self.theme {
                None => 1.0,
                Some(theme) if theme == kind.theme => 2.0,
                Some(_) => 0.25,
            };
            let mut stream = Stream {
                rng: source(self.seed, kind.name),
                interval: 100.0 / (kind.percent * share),
                next: 0.0,
                draw: Box::new(move |rng| wrap((kind.draw)(rng))),
            };
            stream.advance();
            self.generator.streams.push(stream);
        }
    }
}

/// The sequence of a seed: what happens in `length` units of time. It must stay the same, or the list of regressions
/// loses its meaning.
pub fn sequence(seed: u64, length: usize) -> Vec<Step> {
    let mut generator = Generator::of_sequence(seed);
    let create = Action {
        who: 0,
        command: Command::Account(AccountCommand::Create),
    };
    let mut steps = vec![Step::Act(create); 3];
    loop {
        let (at, action) = generator.next_at();
        if at > length as f64 {
            break;
        }
        steps.push(Step::Act(action));
        if steps.len().is_multiple_of(COMPARE_INTERVAL) {
            steps.push(Step::Compare);
        }
    }
    steps.push(Step::Compare);
    steps
}

/// Sends the command, checks its answer and changes the oracle.
pub async fn perform(state: &mut State<'_>, action: Action) -> Result<()> {
    let who = state.account(action.who);
    let command = match (who, action.command) {
        (_, Command::Account(AccountCommand::Create)) => return accounts::create(state).await,
        (None, _) => return Ok(()),
        (Some(who), command) => (who, command),
    };
    match command {
        (who, Command::Account(command)) => accounts::perform(state, who, command).await,
        (who, Command::Post(command)) => posts::perform(state, who, command).await,
        (who, Command::Link(command)) => links::perform(state, who, command).await,
        (who, Command::Connection(command)) => connections::perform(state, who, command).await,
        (who, Command::Block(command)) => blocks::perform(state, who, command).await,
        (who, Command::Tag(command)) => tags::perform(state, who, command).await,
        (who, Command::Feed(command)) => feed::perform(state, who, command).await,
        (who, Command::Conversation(command)) => conversations::perform(state, who, command).await,
        (who, Command::Notification(command)) => notifications::perform(state, who, command).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_does_not_change_with_another_kind_of_command() {
        let all = sequence(7, 300);
        let of_posts = |step: &&Step| {
            matches!(
                step,
                Step::Act(Action {
                    command: Command::Post(_),
                    ..
                })
            )
        };
        let mut alone = Generator {
            streams: Vec::new(),
        };
        let mut add = Adder {
            generator: &mut alone,
            seed: 7,
            theme: match source(7, "theme").gen_range(0..5) {
                0 | 1 => Some(Theme::Feed),
                2 => Some(Theme::Conversations),
                _ => None,
            },
        };
        add.kinds(posts::kinds(), Command::Post);
        let posts: Vec<_> = all.iter().filter(of_posts).collect();
        assert!(posts.len() > 10, "{posts:?}");
        for post in posts {
            assert_eq!(*post, Step::Act(alone.next_action()));
        }
    }

    #[test]
    fn a_sequence_has_as_many_commands_as_its_kinds_add_up_to() {
        for seed in 0..20 {
            let streams = Generator::of_sequence(seed).streams;
            let expected = 200.0
                * streams
                    .iter()
                    .map(|stream| 1.0 / stream.interval)
                    .sum::<f64>();
            let steps = sequence(seed, 200).into_iter();
            let commands = steps.filter(|step| matches!(step, Step::Act(_))).count() - 3;
            // The count of a Poisson process: five standard deviations.
            let difference = (commands as f64 - expected).abs();
            assert!(
                difference < 5.0 * expected.sqrt(),
                "seed {seed}: {commands} instead of {expected}"
            );
        }
    }
}
