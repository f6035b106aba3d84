//! Quotas: how many commands of a kind succeed for one account, or for one address where no account is needed. What undoes or
//! deletes something has none: it needs something that a quota was used for.
//!
//! They are counted in memory, in this process: with several instances of write-api, a client has the quota of each that its
//! requests reach, and after a restart all of it.

use std::{fmt, str::FromStr, time::Duration};

use axum::http::{HeaderName, HeaderValue};
use feedmill_service::config::duration;

use crate::{
    client::Client,
    domain::{
        AccountCommand, BlockCommand, Command, ConnectionCommand, ConversationCommand, LinkAction,
        LinkKind, PostCommand, TagCommand,
    },
    rate_limit::{Exceeded, Rate, RateLimiter, Remaining, Taken},
};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

macro_rules! quotas {
    ($($(#[$doc:meta])* $quota:ident, $name:literal, $count:literal;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Quota {
            $($(#[$doc])* $quota,)*
        }

        impl Quota {
            pub const ALL: [Self; [$($count),*].len()] = [$(Self::$quota),*];

            /// In settings and headers.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$quota => $name,)*
                }
            }

            fn per_hour(self) -> u32 {
                match self {
                    $(Self::$quota => $count,)*
                }
            }
        }
    };
}

// More than people do by hand, with the number in an hour.
quotas! {
    /// Posts and replies of an account, and changes of their texts and audiences.
    Posts, "posts", 500;
    /// Messages of an account.
    Messages, "messages", 3_000;
    /// Conversations that an account starts or renames, and members that it adds to groups.
    Conversations, "conversations", 300;
    /// Accounts that an account follows.
    Follows, "follows", 1_000;
    /// Connections that an account requests or accepts.
    Connections, "connections", 500;
    /// Changes of an account's tags and their members.
    Tags, "tags", 10_000;
    /// Posts that an account likes or bookmarks, and accounts that it mutes or blocks.
    Reactions, "reactions", 3_000;
    /// Changes of an account's profile, settings and password.
    Profile, "profile", 200;
    /// Read marks of an account, and conversations that it mutes.
    Marks, "marks", 20_000;
    /// New accounts from an address. Many people may share one.
    SignUps, "sign_ups", 500;
    /// Sign-ins from an address, or from a device that has signed in before.
    SignIns, "sign_ins", 2_000;
    /// Refreshes of a session.
    Refreshes, "refreshes", 600;
}

impl Quota {
    /// The quota that a command of a signed-in account counts for.
    pub fn of(command: &Command) -> Option<Self> {
        match command {
            Command::Account(AccountCommand::ChangeProfile(_)) => Some(Self::Profile),
            Command::Account(AccountCommand::Create { .. } | AccountCommand::Ensure { .. })
            | Command::Post(PostCommand::Delete { .. })
            | Command::Conversation(
                ConversationCommand::DeleteMessage { .. }
                | ConversationCommand::RemoveMember { .. }
                | ConversationCommand::SetMuted { muted: false, .. },
            )
            | Command::Tag(TagCommand::Delete { .. } | TagCommand::RemoveMember { .. })
            | Command::Connection(ConnectionCommand::End { .. })
            | Command::Block(BlockCommand::Unblock { .. }) => None,
            Command::Post(
                PostCommand::Create { .. }
                | PostCommand::Edit { .. }
                | PostCommand::SetAudience { .. },
            ) => Some(Self::Posts),
            Command::Block(BlockCommand::Block { .. }) => Some(Self::Reactions),
            Command::Tag(_) => Some(Self::Tags),
            Command::Connection(_) => Some(Self::Connections),
            Command::Link(link) => match (link.action, link.kind) {
                (LinkAction::Remove, _) => None,
                (LinkAction::Add, LinkKind::Follow) => Some(Self::Follows),
                (LinkAction::Add, LinkKind::Like | LinkKind::Bookmark | LinkKind::Mute) => {
                    Some(Self::Reactions)
                }
            },
            Command::Conversation(
                ConversationCommand::Start { .. }
                | ConversationCommand::AddMember { .. }
                | ConversationCommand::Rename { .. },
            ) => Some(Self::Conversations),
            Command::Conversation(ConversationCommand::SendMessage { .. }) => Some(Self::Messages),
            Command::Conversation(
                ConversationCommand::MarkRead { .. } | ConversationCommand::SetMuted { .. },
            )
            | Command::Mark(_) => Some(Self::Marks),
        }
    }
}

/// The rate of each quota; None is without limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaRates([Option<Rate>; Quota::ALL.len()]);

impl Default for QuotaRates {
    fn default() -> Self {
        Self(Quota::ALL.map(|quota| {
            Some(Rate {
                count: quota.per_hour(),
                period: Duration::from_hours(1),
            })
        }))
    }
}

/// `off`, or `posts=100/1h,follows=off`: the others have their defaults.
impl FromStr for QuotaRates {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "off" {
            return Ok(Self([None; Quota::ALL.len()]));
        }
        let mut rates = Self::default();
        for setting in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (name, rate) = setting
                .split_once('=')
                .ok_or_else(|| format!("{setting:?} is not a quota such as posts=100/1h"))?;
            let index = Quota::ALL
                .iter()
                .position(|quota| quota.name() == name.trim());
            let index = index.ok_or_else(|| {
                let names = Quota::ALL.map(Quota::name).join(", ");
                format!("{name:?} is no quota; there are {names}")
            })?;
            rates.0[index] = rate_of(rate.trim())?;
        }
        Ok(rates)
    }
}

fn rate_of(text: &str) -> Result<Option<Rate>, String> {
    if text == "off" {
        return Ok(None);
    }
    let (count, period) = text
        .split_once('/')
        .ok_or_else(|| format!("{text:?} is not a rate such as 100/1h"))?;
    match count.parse() {
        Ok(count) if count > 0 => Ok(Some(Rate {
            count,
            period: duration(period)?,
        })),
        _ => Err(format!("{count:?} is not a number above 0")),
    }
}

/// The quotas of all clients.
pub struct Quotas([Option<RateLimiter<Client>>; Quota::ALL.len()]);

impl Quotas {
    pub fn new(rates: &QuotaRates) -> Self {
        Self(rates.0.map(|rate| rate.map(RateLimiter::new)))
    }

    /// Reserves one, before the command is carried out, so that concurrent commands are limited, too.
    pub fn reserve(
        &self,
        quota: Quota,
        client: Client,
        now_millis: i64,
    ) -> Result<Reserved, QuotaExceeded> {
        let limiter = self.0[quota as usize].as_ref();
        let taken = limiter.map(|limiter| limiter.take(client, now_millis));
        match taken.transpose() {
            Ok(taken) => Ok(Reserved(taken.map(|taken| (quota, taken)))),
            Err(exceeded) => Err(QuotaExceeded { quota, exceeded }),
        }
    }
}

/// One command's part of a quota. It is given back unless the command succeeds.
#[must_use]
pub struct Reserved(Option<(Quota, Taken)>);

impl Reserved {
    /// Counts the command. What is left; None without a limit.
    pub fn succeeded(self, now_millis: i64) -> Option<QuotaState> {
        let (quota, taken) = self.0?;
        let remaining = taken.keep(now_millis);
        Some(QuotaState { quota, remaining })
    }
}

/// What a client has left of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaState {
    quota: Quota,
    remaining: Remaining,
}

impl QuotaState {
    /// `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers-10.
    pub fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let name = self.quota.name();
        let Remaining {
            rate,
            count,
            full_after,
        } = self.remaining;
        let limit = format!("\"{name}\";r={count};t={}", seconds(full_after));
        let policy = format!("\"{name}\";q={};w={}", rate.count, seconds(rate.period));
        [(RATE_LIMIT, limit), (RATE_LIMIT_POLICY, policy)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)))
    }
}

/// Rounded up.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaExceeded {
    quota: Quota,
    exceeded: Exceeded,
}

impl QuotaExceeded {
    pub fn retry_after(&self) -> Duration {
        self.exceeded.retry_after
    }

    pub fn state(&self) -> QuotaState {
        let Exceeded {
            rate, full_after, ..
        } = self.exceeded;
        QuotaState {
            quota: self.quota,
            remaining: Remaining {
                rate,
                count: 0,
                full_after,
            },
        }
    }
}

impl fmt::Display for QuotaExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (quota, rate) = (self.quota.name(), self.exceeded.rate);
        let (count, period) = (rate.count, rate.period.as_secs());
        write!(f, "the quota `{quota}` of {count} in {period} s is used up")
    }
}

impl std::error::Error for QuotaExceeded {}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOW: i64 = 1_700_000_000_000;
    const ME: Client = Client::Known(Uuid::from_u128(1));

    #[test]
    fn settings_change_the_quotas_that_they_name() {
        let rates = |text: &str| text.parse::<QuotaRates>();
        assert_eq!(rates(""), Ok(QuotaRates::default()));
        assert_eq!(rates("off"), Ok(QuotaRates([None; Quota::ALL.len()])));
        let changed = rates(" posts=2/1m, follows=off").unwrap();
        let period = Duration::from_mins(1);
        assert_eq!(
            changed.0[Quota::Posts as usize],
            Some(Rate { count: 2, period })
        );
        assert_eq!(changed.0[Quota::Follows as usize], None);
        let messages = Quota::Messages as usize;
        assert_eq!(changed.0[messages], QuotaRates::default().0[messages]);
        for bad in [
            "posts",
            "posts=5",
            "posts=0/1h",
            "posts=x/1h",
            "posts=5/0s",
            "pots=5/1h",
        ] {
            assert!(rates(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_tell_what_is_left() {
        let quotas = Quotas::new(&"posts=3/1m".parse().unwrap());
        let headers = |state: QuotaState| {
            let texts = state
                .headers()
                .map(|(_, value)| value.to_str().unwrap().to_owned());
            texts.collect::<Vec<_>>()
        };
        let mut states = (0..3).map(|_| {
            let reserved = quotas.reserve(Quota::Posts, ME, NOW).unwrap();
            reserved.succeeded(NOW).unwrap()
        });
        let policy = "\"posts\";q=3;w=60";
        assert_eq!(
            headers(states.next().unwrap()),
            ["\"posts\";r=2;t=20", policy]
        );
        assert_eq!(
            headers(states.nth(1).unwrap()),
            ["\"posts\";r=0;t=60", policy]
        );
        let exceeded = quotas.reserve(Quota::Posts, ME, NOW).err().unwrap();
        assert_eq!(exceeded.retry_after(), Duration::from_secs(20));
        assert_eq!(headers(exceeded.state()), ["\"posts\";r=0;t=60", policy]);
        let other = Client::Known(Uuid::from_u128(2));
        assert!(quotas.reserve(Quota::Posts, other, NOW).is_ok());
        assert!(quotas.reserve(Quota::Messages, ME, NOW).is_ok());
    }

    #[test]
    fn what_fails_is_not_counted() {
        let quotas = Quotas::new(&"posts=1/1h".parse().unwrap());
        for _ in 0..10 {
            drop(quotas.reserve(Quota::Posts, ME, NOW).unwrap());
        }
    }
}
