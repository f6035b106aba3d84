//! What responses contain, in SQL, and the tags on which they depend.

use chrono::NaiveDate;
use feedmill_events::Tag;
use uuid::Uuid;

/// A kind of response: what it contains by key, as text, and the tags on which it depends.
pub struct Kind {
    pub name: &'static str,
    /// Takes the key and the text.
    pub tag: fn(&str, &str) -> Tag,
    /// More tags, of the key and the text.
    pub listed: fn(&str, &str) -> Vec<Tag>,
    pub sql: &'static str,
}

fn id(key: &str) -> Uuid {
    key.parse().unwrap()
}

/// The parts of a key or a text that are separated by slashes.
fn first(parts: &str) -> &str {
    parts.split('/').next().unwrap()
}

fn second(parts: &str) -> &str {
    parts.split('/').nth(1).unwrap()
}

fn post_tags(posts: &str) -> impl Iterator<Item = Tag> {
    posts.split_whitespace().map(|post| Tag::post(id(post)))
}

/// More tags of a page of posts that the viewer likes or bookmarks. It may leave out posts of any thread.
fn visible_links(viewer: &str, posts: &str) -> Vec<Tag> {
    let access = [Tag::access(id(viewer)), Tag::any_audience()];
    post_tags(posts).chain(access).collect()
}

/// The doc comments of `Tag`, in SQL.
pub fn kinds(projection: &str) -> Vec<Kind> {
    let kind = |name, tag, sql| Kind {
        name,
        tag,
        listed: |_, _| vec![],
        sql,
    };
    match projection {
        "profiles" => vec![
            kind(
                "account_summary",
                |key, _| Tag::account_summary(id(key)),
                "SELECT id::text, concat_ws(' ', handle, display_name) FROM accounts",
            ),
            kind(
                "handle",
                |_, handle| Tag::handle(handle),
                "SELECT id::text, handle FROM accounts",
            ),
            kind(
                "profile",
                |key, _| Tag::profile(id(key)),
                "SELECT id::text, concat_ws(' ', bio, created_at, coalesce(followers, 0), coalesce(following, 0),
                    coalesce(connections, 0))
                FROM accounts LEFT JOIN account_counts ON account = id",
            ),
            kind(
                "followers",
                |key, _| Tag::followers(id(key)),
                "SELECT followee::text, string_agg(concat(follower, followed_at), ' ' ORDER BY follower)
                FROM follows GROUP BY 1",
            ),
            kind(
                "following",
                |key, _| Tag::following(id(key)),
                "SELECT follower::text, string_agg(concat(followee, followed_at), ' ' ORDER BY followee)
                FROM follows GROUP BY 1",
            ),
            kind(
                "connections",
                |key, _| Tag::connections(id(key)),
                "SELECT account::text, string_agg(concat(other, connected_at), ' ' ORDER BY other)
                FROM connections GROUP BY 1",
            ),
            kind(
                "requests_received",
                |key, _| Tag::requests_received(id(key)),
                "SELECT recipient::text, string_agg(concat(requester, requested_at), ' ' ORDER BY requester)
                FROM connection_requests GROUP BY 1",
            ),
            kind(
                "requests_sent",
                |key, _| Tag::requests_sent(id(key)),
                "SELECT requester::text, string_agg(concat(recipient, requested_at), ' ' ORDER BY recipient)
                FROM connection_requests GROUP BY 1",
            ),
            kind(
                "own_settings",
                |key, _| Tag::own_settings(id(key)),
                "SELECT account::text, concat_ws(' ', default_audience, who_may_message) FROM account_settings",
            ),
        ],
        "feed" => vec![
            kind(
                "post",
                |key, _| Tag::post(id(key)),
                "SELECT k.id::text, concat_ws(' | ',
                    (SELECT concat_ws(' ', author, text, edited_at, like_count, reply_count) FROM posts p WHERE p.id = k.id),
                    (SELECT string_agg(concat(user_id, liked_at), ' ' ORDER BY user_id) FROM likes WHERE post_id = k.id),
                    (SELECT string_agg(p.id::text, ' ' ORDER BY p.id) FROM posts p WHERE reply_to = k.id))
                FROM (SELECT id FROM posts UNION SELECT reply_to FROM posts WHERE reply_to IS NOT NULL) k",
            ),
            kind(
                "posts_of",
                |key, _| Tag::posts_of(id(key)),
                "SELECT author::text, string_agg(id::text, ' ' ORDER BY id) FROM posts GROUP BY 1",
            ),
            kind(
                "posts_count",
                |key, _| Tag::posts_of(id(key)),
                "SELECT author::text, posts::text FROM post_counts",
            ),
            Kind {
                listed: |key, thread| vec![Tag::access(id(first(key))), Tag::audience(id(first(thread)))],
                ..kind(
                    "audience",
                    |key, _| Tag::post(id(second(key))),
                    "SELECT concat_ws('/', viewer, p.id), concat_ws('/', root, root_author = viewer, audience, tags,
                        (SELECT true FROM visible(viewer, p.author, root, root_author)))
                    FROM public.viewers
                    CROSS JOIN (SELECT id, author, root, root_author FROM posts) p
                    LEFT JOIN (SELECT root, audience, tags FROM audiences) a USING (root)",
                )
            },
            Kind {
                listed: |key, _| vec![Tag::access(id(first(key)))],
                ..kind(
                    "visible_posts_of",
                    |key, _| Tag::posts_of(id(second(key))),
                    "SELECT concat_ws('/', v.viewer, a.viewer), coalesce(string_agg(id::text, ' ' ORDER BY id)
                        FILTER (WHERE (SELECT true FROM visible(v.viewer, author, root, root_author))), '')
                    FROM public.viewers v CROSS JOIN public.viewers a LEFT JOIN posts ON author = a.viewer GROUP BY 1",
                )
            },
            kind(
                "feed",
                |key, _| Tag::feed(id(key)),
                "SELECT viewer::text, string_agg(author::text, ' ' ORDER BY author) FROM feed_sources GROUP BY 1",
            ),
            kind(
                "blocks",
                |key, _| Tag::blocks(id(key)),
                "SELECT blocker::text, string_agg(blocked::text, ' ' ORDER BY blocked_at, blocked) FROM blocks GROUP BY 1",
            ),
            kind(
                "blocked_pairs",
                |key, _| Tag::access(id(key)),
                "SELECT other::text, string_agg(account::text, ' ' ORDER BY account) FROM blocked_pairs GROUP BY 1",
            ),
            kind(
                "feed_mark",
                |key, _| Tag::feed_mark(id(key)),
                "SELECT viewer::text, up_to::text FROM feed_marks",
            ),
            Kind {
                // A page of posts depends on each of them, so a deleted post needs no tag of who bookmarked it.
                listed: visible_links,
                ..kind(
                    "bookmarks",
                    |key, _| Tag::bookmarks(id(key)),
                    "SELECT user_id::text, coalesce(string_agg(post_id::text, ' ' ORDER BY bookmarked_at, post_id)
                        FILTER (WHERE (SELECT true FROM visible(user_id, author, root, root_author))), '')
                    FROM bookmarks JOIN posts ON id = post_id GROUP BY 1",
                )
            },
            Kind {
                // As for bookmarks.
                listed: visible_links,
                ..kind(
                    "likes",
                    |key, _| Tag::likes(id(key)),
                    "SELECT user_id::text, coalesce(string_agg(post_id::text, ' ' ORDER BY liked_at, post_id)
                        FILTER (WHERE (SELECT true FROM visible(user_id, author, root, root_author))), '')
                    FROM likes JOIN posts ON id = post_id GROUP BY 1",
                )
            },
            Kind {
                // The chain never changes, only which of its posts stand.
                listed: |_, text| post_tags(text).collect(),
                ..kind(
                    "ancestors",
                    |key, _| Tag::post(id(key)),
                    "WITH RECURSIVE parents AS (
                        SELECT id, reply_to FROM posts UNION ALL SELECT id, reply_to FROM deleted_replies
                    ), chain AS (
                        SELECT id AS post, reply_to AS ancestor, 1 AS distance FROM posts
                        UNION ALL
                        SELECT post, reply_to, distance + 1 FROM chain JOIN parents ON id = ancestor
                    )
                    SELECT post::text, string_agg(id::text, ' ' ORDER BY distance DESC)
                    FROM chain JOIN posts ON id = ancestor GROUP BY 1",
                )
            },
            kind(
                "audience_tags",
                |key, _| Tag::audience_tags(id(key)),
                "SELECT owner::text, string_agg(concat_ws('/', t.id, t.name, t.members,
                    (SELECT string_agg(m::text, '+' ORDER BY member) FROM tag_members m WHERE m.tag = t.id)),
                    ' ' ORDER BY t.id)
                FROM tags t GROUP BY 1",
            ),
            kind(
                "mutes",
                |key, _| Tag::mutes(id(key)),
                "SELECT muter::text, string_agg(muted::text, ' ' ORDER BY muted_at, muted) FROM mutes GROUP BY 1",
            ),
            kind(
                "posts_of_day",
                |key, _| Tag::posts_of_day(key.parse::<NaiveDate>().unwrap()),
                "SELECT (created_at AT TIME ZONE 'UTC')::date::text,
                    string_agg(concat_ws('/', id, like_count, reply_count), ' ' ORDER BY id)
                FROM posts WHERE reply_to IS NULL GROUP BY 1",
            ),
        ],
        "digest" => vec![kind(
            "digest",
            |key, _| Tag::digest(id(key)),
            "SELECT viewer::text, string_agg(d::text, ' ' ORDER BY day) FROM digest_days d GROUP BY 1",
        )],
        "conversations" => vec![
            kind(
                "conversations",
                |key, _| Tag::conversations(id(key)),
                "SELECT m.user_id::text, concat_ws(' ', max(n.conversations), string_agg(concat_ws('/', c, m.activity, m.unread_count, m.muted, m.hidden_count,
                    (SELECT array_agg(o.user_id ORDER BY o.user_id) FROM members o WHERE o.conversation = c.id)),
                    ' ' ORDER BY c.id))
                FROM members m JOIN conversations c ON c.id = m.conversation
                LEFT JOIN conversation_counts n ON n.user_id = m.user_id GROUP BY 1",
            ),
            kind(
                "conversation",
                |key, _| Tag::conversation(id(key)),
                "SELECT c.id::text, concat_ws(' ', title,
                    (SELECT string_agg(concat_ws('/', user_id, since), ' ' ORDER BY user_id) FROM members m
                    WHERE m.conversation = c.id))
                FROM conversations c",
            ),
            Kind {
                // Only the answers about one conversation depend on it, and they depend on the conversation, too.
                listed: |_, text| {
                    let conversations = text.split(' ');
                    conversations.map(|it| Tag::conversation(id(it))).collect()
                },
                ..kind(
                    "muted_conversations",
                    |key, _| Tag::muted_conversations(id(key)),
                    "SELECT user_id::text, string_agg(conversation::text, ' ' ORDER BY conversation)
                    FROM members WHERE muted GROUP BY 1",
                )
            },
            kind(
                "messages",
                |key, _| Tag::messages(id(key)),
                "SELECT c.id::text, coalesce(string_agg(m::text, ' ' ORDER BY m.id), '-')
                FROM conversations c LEFT JOIN messages m ON m.conversation = c.id GROUP BY 1",
            ),
            Kind {
                // A conversation with its marks depends on its members, too, with whom their marks go.
                listed: |_, text| {
                    let conversation = text.split(' ').next().unwrap_or_default();
                    vec![Tag::conversation(id(conversation))]
                },
                ..kind(
                    "read_marks",
                    |key, _| Tag::read_marks(id(key)),
                    "SELECT conversation::text, concat_ws(' ', conversation,
                        string_agg(concat_ws('/', user_id, read_up_to), ' ' ORDER BY user_id))
                    FROM members WHERE read_up_to IS NOT NULL GROUP BY conversation",
                )
            },
        ],
        "notifications" => vec![kind(
            "notifications",
            |key, _| Tag::notifications(id(key)),
            "SELECT viewer::text, concat_ws(' ', max(t.total), max(m.up_to::text), string_agg(n::text, ' ' ORDER BY id))
            FROM notifications n FULL JOIN notification_marks m USING (viewer)
            LEFT JOIN notification_totals t USING (viewer) GROUP BY 1",
        )],
        other => panic!("tests/it/tags/responses.rs has no responses of the projection {other}"),
    }
}
