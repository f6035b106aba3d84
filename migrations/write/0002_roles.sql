-- One role a service, with no more rights than it needs. They are made without a password and may not log
-- in until whoever deploys gives them one.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['feedmill_write', 'feedmill_projector', 'feedmill_read'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
    -- The projector makes the schemas of its read models.
    EXECUTE format('GRANT CREATE ON DATABASE %I TO feedmill_projector', current_database());
END
$$;

-- write-api: state and log. Events are only ever added.
GRANT USAGE ON SCHEMA write TO feedmill_write;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA write TO feedmill_write;
REVOKE UPDATE, DELETE ON write.events FROM feedmill_write;
REVOKE INSERT, DELETE ON write.partitions FROM feedmill_write;

-- projector: reads the log, and owns what it makes of it.
GRANT USAGE ON SCHEMA write TO feedmill_projector;
GRANT SELECT ON write.events, write.partitions TO feedmill_projector;

-- read-api gets its rights from the projector, table by table: see projector/src/store/schema.rs.
