-- Trainings on demand: a queue from which workers anywhere take (FOR UPDATE SKIP LOCKED).
CREATE TABLE hub.training (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version bigint NOT NULL REFERENCES hub.version,
    requested_by integer NOT NULL REFERENCES hub.person,
    request jsonb NOT NULL CHECK (jsonb_typeof(request) = 'object'),   -- task, profile, overrides
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    worker text NOT NULL DEFAULT '',
    cancel boolean NOT NULL DEFAULT false,         -- asked to stop while it runs
    heartbeat timestamptz,                         -- of the worker; an old one means that it died
    not_before timestamptz NOT NULL DEFAULT '-infinity',
    progress jsonb,                                -- curve so far, for the page
    result jsonb,                                  -- accuracy, loss, counts, plots, where the model lies
    error text NOT NULL DEFAULT '',
    created timestamptz NOT NULL DEFAULT clock_timestamp(),
    started timestamptz,
    finished timestamptz
);
CREATE INDEX training_queue ON hub.training (id) WHERE state IN ('queued', 'running');
CREATE INDEX training_person ON hub.training (requested_by, id);
