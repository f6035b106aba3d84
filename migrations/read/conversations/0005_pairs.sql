-- Conversations of two people, which a block closes.

ALTER TABLE conversations ADD COLUMN pair boolean NOT NULL DEFAULT false;
