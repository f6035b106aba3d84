//! The content of an event on one line.

use serde_json::Value;
use uuid::Uuid;

use crate::history::ShownEvent;

/// A field of an event, for a line about it.
pub struct BriefField {
    pub name: String,
    pub text: String,
    /// An id of which `text` is the end, and the filter of the log that finds its events.
    pub id: Option<(Uuid, Option<&'static str>)>,
}

/// The content of an event on one line. Ids are shortened to what differs most.
pub fn brief(event: &ShownEvent) -> Vec<BriefField> {
    let mut brief = vec![];
    if let Some(data) = &event.data {
        collect("", data, &mut brief);
    }
    brief
}

fn collect(name: &str, value: &Value, brief: &mut Vec<BriefField>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() {
                    field.clone()
                } else {
                    format!("{name}.{field}")
                };
                collect(&name, value, brief);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(name, item, brief)),
        value => {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let id = Uuid::try_parse(&text).ok();
            brief.push(BriefField {
                text: id.map_or_else(
                    || text.clone(),
                    |_| format!("…{}", &text[text.len() - 12..]),
                ),
                id: id.map(|id| (id, filter_of(name))),
                name: name.to_owned(),
            });
        }
    }
}

/// The filter of the log for the events of what a field names. None for what has no events of its own.
pub fn filter_of(field: &str) -> Option<&'static str> {
    match field.rsplit('.').next().unwrap_or(field) {
        "post" | "conversation" => Some("thread"),
        "account" | "author" | "root_author" | "user" | "follower" | "followee" | "sender"
        | "creator" | "members" | "member" | "added_by" | "from" | "to" | "other" | "requester"
        | "muter" | "muted" | "blocker" | "owner" => Some("account"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use feedmill_events::{
        Envelope, Event, Partition,
        event::v1::{Parent, PostLiked},
        event::v2::PostCreated,
    };

    use super::*;
    use crate::history::Record;

    fn shown(event: Event) -> ShownEvent {
        let envelope = Envelope { at: 0, event };
        let record = Record {
            partition: Partition::all().next().unwrap(),
            seq: 1,
            kind: envelope.event.event_type().name().to_owned(),
            trace: None,
            body: envelope.encode().unwrap().into(),
        };
        ShownEvent::new(&record, false)
    }

    #[test]
    fn a_line_about_an_event_has_short_ids_that_lead_to_their_events() {
        let [post, author, user] = [1, 2, 3].map(Uuid::from_u128);
        let fields = brief(&shown(Event::PostLiked(PostLiked { post, author, user })));
        let filters: Vec<_> = fields
            .iter()
            .map(|it| (it.name.as_str(), it.id.unwrap()))
            .collect();
        let account = Some("account");
        let expected = [
            ("author", (author, account)),
            ("post", (post, Some("thread"))),
            ("user", (user, account)),
        ];
        assert_eq!(filters, expected);
        assert_eq!(fields[0].text, "…000000000002");
        let reply = PostCreated {
            post,
            author,
            reply_to: Some(Parent { post, author }),
            text: "secret".to_owned(),
            root_author: None,
            audience: None,
        };
        let fields = brief(&shown(Event::PostCreated(reply)));
        let names: Vec<_> = fields.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(
            names,
            ["author", "post", "reply_to.author", "reply_to.post", "text"]
        );
        assert_eq!(fields[4].text, "[hidden: 6 characters]");
    }
}
