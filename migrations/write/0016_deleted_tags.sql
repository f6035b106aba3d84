-- Tags that were deleted, until their members are deleted, too: there may be thousands, and no command waits for it. The previous version
-- can run with this migration. It takes the members of tags that this version deletes for members, and says once more that they are
-- removed when their connection ends; projections ignore that.

CREATE TABLE write.deleted_tags (
    id uuid PRIMARY KEY
);
GRANT SELECT, INSERT, DELETE ON write.deleted_tags TO feedmill_write;
