-- How many posts there are, replies included, by partition. The metric posts_total is the sum. Stop every older projector first, or rebuild: what it
-- projects afterwards is not counted.
CREATE TABLE post_totals (
    partition smallint PRIMARY KEY,
    posts     bigint NOT NULL
) WITH (fillfactor = 50);

INSERT INTO post_totals
SELECT (get_byte(uuid_send(id), 15) & 63)::smallint, count(*) FROM posts GROUP BY 1;
