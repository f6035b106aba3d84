-- The rights of write-api's role, table by table: those that its statements use. A later migration that creates a table, or
-- whose statements need another right, grants it. The test `roles_have_the_rights_that_their_statements_use` compares both.

ALTER DEFAULT PRIVILEGES IN SCHEMA write REVOKE ALL ON TABLES FROM feedmill_write;
REVOKE ALL ON ALL TABLES IN SCHEMA write FROM feedmill_write;

GRANT SELECT, INSERT                 ON write.events             TO feedmill_write;
GRANT SELECT,         UPDATE         ON write.partitions         TO feedmill_write;
GRANT SELECT, INSERT, UPDATE         ON write.accounts           TO feedmill_write;
GRANT SELECT, INSERT, UPDATE, DELETE ON write.freed_handles      TO feedmill_write;
GRANT SELECT, INSERT, UPDATE         ON write.passwords          TO feedmill_write;
GRANT SELECT, INSERT, UPDATE, DELETE ON write.sessions           TO feedmill_write;
GRANT SELECT, INSERT,         DELETE ON write.ended_sessions     TO feedmill_write;
GRANT SELECT, INSERT,         DELETE ON write.posts              TO feedmill_write;
GRANT SELECT, INSERT, UPDATE, DELETE ON write.links              TO feedmill_write;
GRANT SELECT, INSERT                 ON write.conversations      TO feedmill_write;
GRANT SELECT, INSERT, UPDATE         ON write.members            TO feedmill_write;
GRANT SELECT, INSERT                 ON write.messages           TO feedmill_write;
GRANT SELECT, INSERT, UPDATE         ON write.notification_marks TO feedmill_write;
GRANT SELECT, INSERT,         DELETE ON write.idempotency        TO feedmill_write;
GRANT SELECT, INSERT                 ON write.imported           TO feedmill_write;

-- Every role may create temporary tables in a database unless that is revoked. The services need none.
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO feedmill_write, feedmill_projector, feedmill_read',
        current_database());
END
$$;
