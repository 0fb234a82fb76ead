-- The schema of the professional-evaluation application. May be run again: what exists is kept.
--
-- There are no triggers here on purpose: a relation with user triggers has writes that nobody can
-- bound by looking at the statement, and every one of them would count as a write to everything.

CREATE TABLE IF NOT EXISTS users (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email             text NOT NULL UNIQUE,
    name              text,
    -- text with a CHECK and not an enum: drivers send it as text, and a new tier is no catalog change
    subscription_tier text NOT NULL DEFAULT 'basic'
        CHECK (subscription_tier IN ('basic', 'professional', 'enterprise')),
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    deleted_at        timestamptz
);

CREATE TABLE IF NOT EXISTS business_evaluations (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id           uuid NOT NULL REFERENCES users (id),
    subscription_tier text NOT NULL DEFAULT 'basic'
        CHECK (subscription_tier IN ('basic', 'professional', 'enterprise')),
    status            text NOT NULL DEFAULT 'draft'
        CHECK (status IN ('draft', 'processing', 'completed', 'failed')),
    business_data     jsonb NOT NULL DEFAULT '{}',
    professional_data jsonb,                 -- professional and enterprise only, 2 to 512 kB
    valuations        jsonb,
    opportunities     jsonb,
    health_score      integer CHECK (health_score BETWEEN 0 AND 100),
    confidence_score  numeric(5, 2) CHECK (confidence_score BETWEEN 0 AND 100),
    analysis_depth    text NOT NULL DEFAULT 'standard'
        CHECK (analysis_depth IN ('standard', 'detailed', 'comprehensive')),
    data_version      integer NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    deleted_at        timestamptz
);

-- No foreign keys: the trail of an evaluation or of a user outlives them.
CREATE TABLE IF NOT EXISTS professional_data_audit (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    evaluation_id uuid NOT NULL,
    user_id       uuid NOT NULL,
    session_id    text,
    change_type   text NOT NULL
        CHECK (change_type IN ('create', 'update', 'delete', 'tier_change', 'access')),
    field_path    text,
    old_value     jsonb,
    new_value     jsonb,
    timestamp     timestamptz NOT NULL DEFAULT now()
);
