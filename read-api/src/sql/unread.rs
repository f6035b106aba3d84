//! How much of a viewer's feed, messages and notifications is unread.

/// The most unread posts that are counted. The statements have the number, too.
pub const MAX_UNREAD: i64 = 1_000;

/// The statement `$macro!`, whose name is `$name`, with CTEs of the viewer `$1`, which begin with
///
/// - `floor`: the floor of the viewer's feed, if it has one.
macro_rules! with_floor {
    ($macro:ident, $name:tt, $rest:tt $(+ $more:tt)*, $($arguments:tt)+) => {
        $macro!(
            $name
                + r#"
        WITH floor AS MATERIALIZED (
            SELECT floor FROM feed_floors WHERE viewer = $1
        )"#
                + $rest $(+ $more)*,
            $($arguments)+
        )
    };
}
pub(super) use with_floor;

/// The same, and
///
/// - `mark`: up to which id the viewer has read the feed; nil if never,
/// - `pushed_unread`: `posts`, how many newer posts of others are in `feed_entries`, 1,000 at most.
///
/// The count reads at most 1,000 entries, and those that it leaves out: the own ones, and the ones that the viewer does not see. They come from
/// indexes alone where vacuum has run: 0.2 ms for 1,000, 0.03 ms for 30. If there are limited ones, the viewer's connections and
/// memberships are read, 0.06 ms for 70. The posts with several tags are looked up.
macro_rules! with_mark {
    ($macro:ident, $name:tt, $rest:tt $(+ $more:tt)*, $($arguments:tt)+) => {
        with_floor!(
            $macro,
            $name,
            r#", mark AS MATERIALIZED (
            SELECT coalesce(
                (SELECT up_to FROM feed_marks WHERE viewer = $1), '00000000-0000-0000-0000-000000000000'
            ) AS up_to
        ), pushed_unread AS MATERIALIZED (
            SELECT count(*) AS posts
            FROM (
                SELECT
                FROM visible_entries($1)
                WHERE NOT own AND post_id > (SELECT up_to FROM mark)
                    AND post_id >= coalesce((SELECT floor FROM floor), '00000000-0000-0000-0000-000000000000')
                LIMIT 1000
            ) AS newer
        )"#
                + $rest $(+ $more)*,
            $($arguments)+
        )
    };
}
pub(super) use with_mark;

/// The same, and
///
/// - `pushed_lanes`: the lanes of the feed, which tell the posts of its authors that the viewer sees: those of an `author` with an
///   `audience` or, if `tag` is not NULL, with this tag,
/// - `pulled_lanes`: those of authors of pulled posts.
///
/// They are only computed if the statement reads them.
macro_rules! with_lanes {
    ($macro:ident, $name:tt, $rest:tt $(+ $more:tt)*, $($arguments:tt)+) => {
        with_mark!(
            $macro,
            $name,
            r#", pushed_lanes AS MATERIALIZED (
            SELECT author, audience, tag FROM feed_lanes WHERE viewer = $1
            UNION ALL
            SELECT $1, audience, NULL FROM unnest('{0,1,2,3}'::smallint[]) AS own (audience)
        ), pulled_lanes AS MATERIALIZED (
            SELECT large.author, lane.audience, lane.tag
            FROM pulled_authors AS large
            CROSS JOIN LATERAL author_lanes($1, large.author) AS lane
            WHERE large.author = $1 OR (SELECT true FROM feed_sources WHERE viewer = $1 AND author = large.author)
        )"#
                + $rest $(+ $more)*,
            $($arguments)+
        )
    };
}
pub(super) use with_lanes;

/// The same, and
///
/// - `unread`: `posts`, how many posts of others in the whole feed are newer than the mark, 1,000 at most.
///
/// Below the floor, and of pulled authors, it reads posts by lane, only as many as are missing to 1,000.
macro_rules! with_unread {
    ($macro:ident, $name:tt, $rest:tt $(+ $more:tt)*, $($arguments:tt)+) => {
        with_lanes!(
            $macro,
            $name,
            r#", older AS (
            SELECT lane.tag, root.id
            FROM pushed_lanes AS lane
            CROSS JOIN LATERAL lane_after(
                lane.author, lane.audience, lane.tag, false, (SELECT up_to FROM mark), (SELECT floor FROM floor), 1000
            ) AS root (id)
            WHERE lane.author <> $1 AND (SELECT floor FROM floor) > (SELECT up_to FROM mark)
            UNION ALL
            SELECT lane.tag, root.id
            FROM pulled_lanes AS lane
            CROSS JOIN LATERAL lane_after(
                lane.author, lane.audience, lane.tag, true, (SELECT up_to FROM mark),
                'ffffffff-ffff-ffff-ffff-ffffffffffff', 1000
            ) AS root (id)
            WHERE lane.author <> $1
        ), unread AS (
            SELECT pushed_unread.posts + count(counted.*) AS posts
            FROM pushed_unread
            LEFT JOIN LATERAL (
                SELECT true
                FROM (
                    SELECT id FROM older WHERE tag IS NULL
                    UNION ALL
                    SELECT DISTINCT id FROM older WHERE tag IS NOT NULL
                ) AS newer
                LIMIT 1000 - pushed_unread.posts
            ) AS counted ON true
            GROUP BY pushed_unread.posts
        )"#
                + $rest $(+ $more)*,
            $($arguments)+
        )
    };
}
pub(super) use with_unread;

/// The statement `$macro!($head… $rest, $arguments)`, with a CTE of the viewer `$1` between `$head` and `$rest`:
///
/// - `unread_messages`: `unread`, how many messages are unread in all conversations together that the viewer has not muted. Conversations of
///   two people with a block between them do not count.
macro_rules! with_unread_messages {
    ($macro:ident, ($($head:tt)+), $rest:tt $(+ $more:tt)*, $($argument:expr),+ $(,)?) => {
        $macro!(
            $($head)+
                r#"unread_messages AS (
            SELECT coalesce(sum(unread_count), 0)::bigint AS unread
            FROM members
            WHERE user_id = $1 AND unread_count > 0 AND NOT muted
                AND (NOT EXISTS (SELECT FROM blocked_pairs WHERE other = $1) OR (
                    SELECT true
                    FROM conversations
                    JOIN members AS other ON other.conversation = conversations.id AND other.user_id <> $1
                    JOIN blocked_pairs ON blocked_pairs.account = other.user_id AND blocked_pairs.other = $1
                    WHERE conversations.id = members.conversation AND pair
                    LIMIT 1
                ) IS NULL)
        )"#
                + $rest $(+ $more)*,
            $($argument),+
        )
    };
}
pub(super) use with_unread_messages;
