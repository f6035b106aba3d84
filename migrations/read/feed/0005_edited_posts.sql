-- When the text of a post was last changed; NULL if never.

ALTER TABLE posts ADD COLUMN edited_at timestamptz;
