-- What `pgtier feed install` puts into a database: after each statement that changes rows of a declared table, a
-- notification says which, by the values of its dimensions before and after. It is worded as an UPDATE that nobody runs, since
-- pgtier judges it as it judges any other statement. The triggers' arguments are the dimensions.
-- What changes tables and rights past pgtier is told by an event trigger, which takes a superuser to make.
CREATE SCHEMA IF NOT EXISTS pgtier;

CREATE OR REPLACE FUNCTION pgtier.feed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $feed$
DECLARE
    whole constant text := format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME);
    rows constant text := CASE TG_OP WHEN 'INSERT' THEN 'new_rows' ELSE 'old_rows' END;
    dimension text;
    found text;
    condition text := '';
    any_row boolean;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM pg_notify('pgtier_feed', 'TRUNCATE ' || whole);
        RETURN NULL;
    END IF;
    EXECUTE 'SELECT EXISTS (SELECT FROM ' || rows || ')' INTO any_row;
    IF NOT any_row THEN
        RETURN NULL;
    END IF;
    FOREACH dimension IN ARRAY TG_ARGV LOOP
        -- More than 32 values, or none but NULLs, are told as all.
        EXECUTE format('SELECT CASE WHEN count(*) <= 32 THEN string_agg(quote_literal(v), '', '') END'
                       ' FROM (SELECT DISTINCT v FROM (SELECT %1$I::text AS v FROM %2$s%3$s) a'
                       ' WHERE v IS NOT NULL LIMIT 33) b', dimension, rows,
                       CASE TG_OP WHEN 'UPDATE' THEN format(' UNION ALL SELECT %I::text FROM new_rows', dimension) ELSE '' END)
            INTO found;
        IF found IS NOT NULL AND octet_length(condition) + octet_length(found) < 6000 THEN
            condition := condition || CASE condition WHEN '' THEN ' WHERE ' ELSE ' AND ' END
                         || format('%I IN (%s)', dimension, found);
        END IF;
    END LOOP;
    PERFORM pg_notify('pgtier_feed', 'UPDATE ' || whole || ' SET pgtier_feed = 0' || condition);
    RETURN NULL;
END
$feed$;

CREATE OR REPLACE FUNCTION pgtier.feed_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $feed$
BEGIN
    -- Temporary ones are nobody else's. What is dropped is not in this list.
    IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands())
       AND NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE schema_name IS DISTINCT FROM 'pg_temp') THEN
        RETURN;
    END IF;
    PERFORM pg_notify('pgtier_feed', 'DDL');
    PERFORM pg_logical_emit_message(true, 'pgtier_feed', 'DDL');
END
$feed$;
