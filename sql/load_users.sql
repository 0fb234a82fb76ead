-- Users of the evaluations :first to :last; called by load.sh, which tells how they are named.
INSERT INTO users (id, email, name, subscription_tier, created_at, updated_at)
SELECT ('10000000-0000-4000-8000-' || lpad(to_hex(u), 12, '0'))::uuid,
       'user' || u || '@example.com',
       (ARRAY['Ada', 'Ben', 'Chen', 'Dora', 'Emil', 'Fatima', 'Gus', 'Hana'])[1 + u % 8] || ' ' || u,
       CASE WHEN u % 10 BETWEEN 1 AND 4 THEN 'professional' WHEN u % 10 = 5 THEN 'enterprise' ELSE 'basic' END,
       born, born
FROM generate_series((:first - 1) / 5 + 1, (:last - 1) / 5 + 1) u,
     LATERAL (SELECT timestamptz '2025-01-01 UTC'
                     + (hashint8extended(u, :seed) & 16777215) * interval '1 second') b (born)
ON CONFLICT DO NOTHING;
