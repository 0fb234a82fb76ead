-- Evaluations :first to :last and an audit trail; called by load.sh, which tells how they are named.
SET synchronous_commit = off;
SET default_toast_compression = lz4;

-- A number in [0, 1) that depends on nothing but the seed, the row and what it is for.
CREATE FUNCTION pg_temp.dice(n bigint, what int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (hashint8extended(n, what) & 1048575) / 1048576.0::float8 $$;

-- The long sections of a document. A few hundred are made once and shared out, since building each
-- of a million documents number by number would take hours; what queries look at is made per row below.
CREATE TEMP TABLE section AS
SELECT k, jsonb_build_object(
    'history', (SELECT jsonb_agg(jsonb_build_object(
            'month', to_char(date '2022-01-01' + m * interval '1 month', 'YYYY-MM'),
            'revenue', (20000 + 380000 * pg_temp.dice(k * 1000 + m, :seed))::int,
            'costs', (15000 + 250000 * pg_temp.dice(k * 2000 + m, :seed))::int,
            'customers', (50 + 4000 * pg_temp.dice(k * 3000 + m, :seed))::int))
        FROM generate_series(0, 11 + (k * 7) % 37) m),
    'market', jsonb_build_object(
        'segment', (ARRAY['retail', 'software', 'logistics', 'health', 'energy'])[1 + k % 5],
        'competitors', (SELECT jsonb_agg(jsonb_build_object(
                'name', 'Competitor ' || substr(md5(k || '/' || c), 1, 6),
                'share', round((100 * pg_temp.dice(k * 50 + c, :seed))::numeric, 1)))
            FROM generate_series(1, 3 + k % 9) c)),
    'notes', (SELECT jsonb_agg(
            'Finding ' || md5(k || '.' || p) || ': '
            || repeat((ARRAY['margin under pressure, ', 'stock turns slowly, ', 'renewals are early, ',
                             'one supplier dominates, '])[1 + (k + p) % 4], 3 + (k + p) % 6))
        FROM generate_series(1, 2 + (k * k) % 99) p)) AS doc
FROM generate_series(0, 499) k;
ALTER TABLE section ADD PRIMARY KEY (k);
ANALYZE section;

INSERT INTO business_evaluations (id, user_id, subscription_tier, status, business_data,
    professional_data, valuations, opportunities, health_score, confidence_score, analysis_depth,
    data_version, created_at, updated_at, deleted_at)
SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
       ('10000000-0000-4000-8000-' || lpad(to_hex(u), 12, '0'))::uuid,
       tier,
       CASE WHEN s < 0.80 THEN 'completed' WHEN s < 0.92 THEN 'draft' WHEN s < 0.98 THEN 'processing' ELSE 'failed' END,
       jsonb_build_object('company', 'Company ' || u, 'industry', section.doc->'market'->'segment',
                          'employees', (1 + 500 * pg_temp.dice(n, :seed + 3))::int,
                          'founded', 1970 + n % 50),
       CASE WHEN tier <> 'basic' THEN section.doc || jsonb_build_object(
           'financialMetrics', jsonb_build_object(
               'annualRevenue', revenue,
               'netProfit', (revenue * (pg_temp.dice(n, :seed + 5) - 0.2) * 0.4)::bigint,
               'ebitda', (revenue * pg_temp.dice(n, :seed + 6) * 0.35)::bigint,
               'currency', 'USD'),
           'customerAnalytics', jsonb_build_object(
               'customerLifetimeValue', (100 + 20000 * pg_temp.dice(n, :seed + 7))::int,
               'churnRate', round((0.3 * pg_temp.dice(n, :seed + 8))::numeric, 4),
               'netPromoterScore', (100 * pg_temp.dice(n, :seed + 9))::int),
           'compliance', jsonb_build_object('auditTrail', 'audit-' || n, 'framework', 'SOC2'))
       END,
       jsonb_build_object('low', revenue, 'likely', revenue * 2, 'high', revenue * 4),
       jsonb_build_array(jsonb_build_object('title', 'Raise prices', 'impact', n % 5),
                         jsonb_build_object('title', 'Second supplier', 'impact', n % 3)),
       (100 * pg_temp.dice(n, :seed + 10))::int,
       round((100 * pg_temp.dice(n, :seed + 11))::numeric, 2),
       CASE tier WHEN 'basic' THEN 'standard' WHEN 'professional' THEN 'detailed' ELSE 'comprehensive' END,
       1, born, born + s * interval '2 hours',
       CASE WHEN n % 97 = 96 THEN born + interval '90 days' END
FROM generate_series(:first::bigint, :last::bigint) n,
     LATERAL (SELECT (n - 1) / 5 + 1) a (u),
     LATERAL (SELECT CASE WHEN u % 10 NOT BETWEEN 1 AND 5 OR n % 5 = 0 THEN 'basic'
                          WHEN u % 10 = 5 THEN 'enterprise' ELSE 'professional' END,
                     pg_temp.dice(n, :seed + 2),
                     (20000 + 5000000 * power(pg_temp.dice(n, :seed + 4), 3))::bigint,
                     timestamptz '2025-06-01 UTC'
                     + pg_temp.dice(n, :seed + 1) * interval '120 days') b (tier, s, revenue, born),
     LATERAL (SELECT doc FROM section WHERE k = (n * 7919) % 500) section
ON CONFLICT DO NOTHING;

-- The trail has ids of its own, so it is only written for evaluations that have none.
INSERT INTO professional_data_audit (evaluation_id, user_id, session_id, change_type, field_path,
    old_value, new_value, timestamp)
SELECT e.id, e.user_id,
       CASE WHEN i % 4 < 3 THEN 'session-' || substr(md5(e.id::text || i), 1, 12) END,
       CASE i WHEN 1 THEN 'create' ELSE 'update' END,
       CASE i WHEN 1 THEN NULL ELSE 'financialMetrics.annualRevenue' END,
       CASE i WHEN 1 THEN NULL ELSE e.valuations->'low' END,
       e.valuations->'likely',
       e.created_at + i * interval '1 hour'
FROM business_evaluations e, generate_series(1, 2) i
WHERE e.subscription_tier <> 'basic'
  AND e.id BETWEEN ('00000000-0000-4000-8000-' || lpad(to_hex(:first::bigint), 12, '0'))::uuid
               AND ('00000000-0000-4000-8000-' || lpad(to_hex(:last::bigint), 12, '0'))::uuid
  AND NOT EXISTS (SELECT FROM professional_data_audit p
                  WHERE p.user_id = e.user_id AND p.evaluation_id = e.id);
