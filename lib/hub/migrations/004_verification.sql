-- What is known of a picture beyond its bytes: labels of tasks, figures of the checks, what people said of it.
CREATE TABLE hub.annotation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,     -- of a picture and task, the newest holds
    picture bigint NOT NULL REFERENCES hub.picture,
    task text NOT NULL CHECK (task ~ '^[a-z][a-z0-9_]{0,40}$'),
    label jsonb NOT NULL CHECK (jsonb_typeof(label) = 'object'),   -- checked against the task's columns before
    origin text NOT NULL CHECK (origin IN ('supplier', 'reviewer', 'viewer', 'api')),
    person integer NOT NULL REFERENCES hub.person,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX annotation_newest ON hub.annotation (picture, task, id DESC);
CREATE INDEX annotation_task ON hub.annotation (task, picture);

CREATE TABLE hub.fingerprint (
    picture bigint PRIMARY KEY REFERENCES hub.picture,
    hashes bigint[] NOT NULL,        -- perceptual hashes: 64 bits each, of the picture and of cuts of it
    keys integer[] NOT NULL,         -- the quarters of the hashes: what differs in few bits shares one of them
    kind text NOT NULL,              -- what the features are of: a network, or "classic"
    features bytea NOT NULL          -- float16, of length one
);
CREATE INDEX fingerprint_keys ON hub.fingerprint USING gin (keys);

CREATE TABLE hub.finding (
    picture bigint NOT NULL REFERENCES hub.picture,
    name text NOT NULL,               -- of the check
    verdict text NOT NULL CHECK (verdict IN ('accept', 'review', 'refuse')),
    figure double precision,
    allowed double precision,             -- the limit the figure was held against
    reason text NOT NULL,
    other bigint REFERENCES hub.picture,  -- the one it is a duplicate of
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (picture, name)
);
CREATE INDEX finding_other ON hub.finding (other) WHERE other IS NOT NULL;

CREATE TABLE hub.review (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    picture bigint NOT NULL REFERENCES hub.picture,
    person integer NOT NULL REFERENCES hub.person,
    verdict text NOT NULL CHECK (verdict IN ('accept', 'refuse')),
    was text NOT NULL,                -- the picture's status before
    labels text[],                    -- its labels from then on, where the reviewer changed them
    note text NOT NULL DEFAULT '',
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX review_picture ON hub.review (picture);

CREATE FUNCTION hub.keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of hub.% are never changed or removed; add another one', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON hub.review FOR EACH STATEMENT EXECUTE FUNCTION hub.keep();
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON hub.annotation
    FOR EACH STATEMENT EXECUTE FUNCTION hub.keep();
