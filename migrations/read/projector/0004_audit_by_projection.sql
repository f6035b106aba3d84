-- no-transaction
-- The last cutover of a projection, and what was done with one event.
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_by_projection ON audit (projection, action, id);
ANALYZE audit;
