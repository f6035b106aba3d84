-- Conversations, their members and messages.

CREATE TABLE conversations (
    id            uuid PRIMARY KEY,
    title         text,
    message_count bigint NOT NULL DEFAULT 0,
    last_message  uuid                  -- the greatest id of the messages
) WITH (fillfactor = 70);

CREATE TABLE messages (
    conversation uuid        NOT NULL,
    id           uuid        NOT NULL,
    sender       uuid        NOT NULL,
    text         text        NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (conversation, id)
);

CREATE TABLE members (
    user_id      uuid   NOT NULL,
    conversation uuid   NOT NULL,
    activity     uuid   NOT NULL,       -- the id of the last message, or of the conversation without one
    read_up_to   uuid,
    unread_count bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, conversation)
) WITH (fillfactor = 70);
CREATE INDEX members_by_activity ON members (user_id, activity);
CREATE INDEX members_of_conversation ON members (conversation);
CREATE INDEX members_unread ON members (user_id) INCLUDE (unread_count) WHERE unread_count > 0;
