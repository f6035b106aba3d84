//! The digest.

use chrono::{Datelike, Days, NaiveDate};
use feedmill_events::id;
use serde_json::{Value, json};
use uuid::Uuid;

use super::time;
use crate::{link::LinkKind, oracle::Oracle};

/// A UTC day, or the ISO week that a day is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Day(NaiveDate),
    Week(NaiveDate),
}

impl Period {
    pub fn name(self) -> &'static str {
        match self {
            Self::Day(_) => "day",
            Self::Week(_) => "week",
        }
    }

    pub fn date(self) -> NaiveDate {
        match self {
            Self::Day(date) | Self::Week(date) => date,
        }
    }

    /// Its begin and its end (exclusive), in Unix milliseconds.
    pub fn bounds(self) -> (i64, i64) {
        let (first, days) = match self {
            Self::Day(date) => (date, 1),
            Self::Week(date) => (
                date - Days::new(u64::from(date.weekday().num_days_from_monday())),
                7,
            ),
        };
        let midnight = |date: NaiveDate| {
            date.and_time(chrono::NaiveTime::MIN)
                .and_utc()
                .timestamp_millis()
        };
        (midnight(first), midnight(first + Days::new(days)))
    }
}

impl Oracle {
    pub fn digest(&self, viewer: Uuid, period: Period) -> Value {
        let (from, to) = period.bounds();
        let inside = |at: i64| (from..to).contains(&at);
        let mine = |post: Uuid| self.is_author(viewer, post);
        let mut posts = self.feed_ids(viewer);
        posts.retain(|post| inside(id::millis(*post)));
        let likes = self
            .links(LinkKind::Like)
            .filter(|(user, post, at)| mine(*post) && *user != viewer && inside(*at));
        let replies = self.posts.iter().filter(|(reply, found)| {
            found.reply_to.is_some_and(mine)
                && found.author != viewer
                && inside(id::millis(**reply))
        });
        let followers = self
            .links_to(LinkKind::Follow, viewer)
            .filter(|(_, at)| inside(*at));
        let connections = self.connections.of(viewer);
        let connections = connections.filter(|(_, found)| inside(found.connected_at));
        let messages = self
            .conversations
            .values()
            .flat_map(|conversation| conversation.received(viewer))
            .filter(|message| inside(id::millis(*message)));
        let counters = json!({
            "posts": posts.len(),
            "likes_received": likes.count(),
            "replies_received": replies.count(),
            "new_followers": followers.count(),
            "new_connections": connections.count(),
            "messages_received": messages.count(),
        });
        // A stable sort: of two with the same score, the newer one stays first.
        posts.sort_by_key(|post| {
            std::cmp::Reverse(
                3 * self.count_replies(*post) + self.count_links_to(LinkKind::Like, *post),
            )
        });
        posts.truncate(50);
        json!({
            "period": period.name(),
            "from": time(from),
            "to": time(to),
            "counters": counters,
            "top_posts": self.views(viewer, posts),
        })
    }
}
