-- How many accounts there are, and how many sides of connections they have, by partition. The metrics users_total and
-- active_connections_total are sums of these. Stop every older projector first, or rebuild: what it
-- projects afterwards is not counted.
CREATE TABLE account_totals (
    partition   smallint PRIMARY KEY,
    accounts    bigint NOT NULL,
    connections bigint NOT NULL
) WITH (fillfactor = 50);

INSERT INTO account_totals
SELECT partition, sum(accounts), sum(connections)
FROM (
    SELECT (get_byte(uuid_send(id), 15) & 63)::smallint AS partition, 1 AS accounts, 0 AS connections FROM accounts
    UNION ALL
    SELECT (get_byte(uuid_send(account), 15) & 63)::smallint, 0, 1 FROM connections
) AS rows
GROUP BY partition;
