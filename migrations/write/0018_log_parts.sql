-- The log becomes a partitioned table, so that old parts of it can be moved to other storage. Its rows stay where they are: the table
-- becomes the first part. PostgreSQL reads it once, to check that no sequence number is beyond the part's bound. There is room in it for at
-- least a million events of each partition, since a write-api of the version before adds no parts.
--
-- Parts are ranges of sequence numbers and not of time, because the primary key is what makes the log dense: (partition, seq) is
-- unique in all of it. (A "part" is a table; a "partition" is one of the 64 of the log, and has events in all parts.)
ALTER TABLE write.events RENAME TO events_0;
ALTER INDEX write.events_pkey RENAME TO events_0_pkey;

CREATE TABLE write.events (
    partition smallint    NOT NULL,
    seq       bigint      NOT NULL CONSTRAINT events_seq_check CHECK (seq > 0),
    type      text        NOT NULL,
    at        timestamptz NOT NULL,
    trace     text,                     -- W3C traceparent of the request that caused it
    body      bytea       NOT NULL,     -- the envelope, as it is published to JetStream
    CONSTRAINT events_pkey PRIMARY KEY (partition, seq)
) PARTITION BY RANGE (seq);

-- For events that no other part accepts. It is empty unless write.add_log_part was not called for as long as a whole part lasts.
CREATE TABLE write.events_rest PARTITION OF write.events DEFAULT;

DO $$
DECLARE
    bound bigint := 1000000 * (2 + (SELECT max(head) FROM write.partitions) / 1000000);
BEGIN
    EXECUTE format('ALTER TABLE write.events ATTACH PARTITION write.events_0 FOR VALUES FROM (MINVALUE) TO (%s)', bound);
END
$$;

REVOKE ALL ON write.events_0 FROM feedmill_write, feedmill_projector;
GRANT SELECT, INSERT ON write.events TO feedmill_write;
GRANT SELECT ON write.events TO feedmill_projector;

-- The parts in their order, with the sequence numbers of each: from `lower` up to and without `upper`. The part for the rest has no
-- bounds.
CREATE VIEW write.log_parts AS
SELECT
    part.oid::regclass AS part,
    (bounds.texts)[1]::bigint AS lower,
    (bounds.texts)[2]::bigint AS upper
FROM pg_inherits
JOIN pg_class part ON part.oid = inhrelid
CROSS JOIN LATERAL (
    SELECT regexp_match(pg_get_expr(part.relpartbound, part.oid), '^FOR VALUES FROM \((?:MINVALUE|''?(\d+)''?)\) TO \(''?(\d+)''?\)$') AS texts
) AS bounds
WHERE inhparent = 'write.events'::regclass
ORDER BY upper NULLS LAST;

-- Adds a part of `size` sequence numbers if the log has reached the last one, so that there is always an empty part ahead. Returns
-- whether it did. write-api calls it; it runs with the rights of its owner.
CREATE FUNCTION write.add_log_part(size bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- A part is attached without waiting: whoever reads the log after it would wait behind it. The caller tries again.
SET lock_timeout = '300ms'
SET default_tablespace = ''
AS $$
DECLARE
    last record;
    first bigint;
    name text;
BEGIN
    IF size NOT BETWEEN 1 AND 1000000000 THEN
        RAISE EXCEPTION 'a part of % sequence numbers instead of 1 to 1000000000', size;
    END IF;
    SELECT lower, upper INTO STRICT last FROM write.log_parts WHERE upper IS NOT NULL ORDER BY upper DESC LIMIT 1;
    IF (SELECT max(head) FROM write.partitions) < coalesce(last.lower, 0) THEN
        RETURN false;
    END IF;
    -- One caller at a time; the others find the new part.
    PERFORM pg_advisory_xact_lock(7310582204991472);
    IF EXISTS (SELECT FROM write.log_parts WHERE upper > last.upper) THEN
        RETURN false;
    END IF;
    first := last.upper;
    IF EXISTS (SELECT FROM write.events_rest) THEN
        -- No part was added for as long as a whole part lasts. What is there, and what comes until the next part begins, stays there.
        first := (SELECT max(head) FROM write.partitions) + size;
    END IF;
    name := format('events_%s', first);
    EXECUTE format('CREATE TABLE write.%I (LIKE write.events INCLUDING ALL)', name);
    -- Attaching a table locks out nobody who writes the log, unlike creating it as a part.
    EXECUTE format('ALTER TABLE write.events ATTACH PARTITION write.%I FOR VALUES FROM (%s) TO (%s)',
        name, first, first + size);
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION write.add_log_part FROM PUBLIC;
GRANT EXECUTE ON FUNCTION write.add_log_part TO feedmill_write;
