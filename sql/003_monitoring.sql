-- How the indexes are used. May be run again.
--
-- The strategy's version chose indexes by LIKE on their names, which misses every one whose name
-- says neither "professional" nor "tier", and takes in those of other tables that do; it also read
-- "tuples fetched / tuples read" as an efficiency, which is 0 for every GIN index (a bitmap scan
-- fetches nothing by its index). Here the tables decide, sizes and validity are shown, and the ratio is
-- of index scans to all scans of the table: 100 means that nothing has read the table from end to end.

-- Dropped first: an earlier version may return other columns, which OR REPLACE refuses to change.
DROP FUNCTION IF EXISTS monitor_professional_tier_indexes();
CREATE FUNCTION monitor_professional_tier_indexes()
RETURNS TABLE (
    index_name       text,
    table_name       text,
    index_size       text,
    index_scans      bigint,
    tuples_read      bigint,
    tuples_fetched   bigint,
    efficiency_ratio numeric,
    is_valid         boolean
)
LANGUAGE sql STABLE
AS $$
    SELECT i.indexrelname::text,
           i.relname::text,
           pg_size_pretty(pg_relation_size(i.indexrelid)),
           i.idx_scan,
           i.idx_tup_read,
           i.idx_tup_fetch,
           round(100.0 * i.idx_scan / nullif(i.idx_scan + t.seq_scan, 0), 2),
           x.indisvalid
    FROM pg_stat_user_indexes i
    JOIN pg_stat_user_tables t ON t.relid = i.relid
    JOIN pg_index x ON x.indexrelid = i.indexrelid
    WHERE i.relid IN ('users'::regclass, 'business_evaluations'::regclass,
                      'professional_data_audit'::regclass)
    ORDER BY i.relname, i.indexrelname
$$;
