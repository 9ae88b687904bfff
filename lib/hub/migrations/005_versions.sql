-- Data set versions, which never change, and wishes that wait until enough pictures have come.
CREATE TABLE hub.version (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    manifest text NOT NULL UNIQUE CHECK (manifest ~ '^[0-9a-f]{64}$'),   -- SHA-256 of the manifest in the store
    person integer NOT NULL REFERENCES hub.person,                       -- who asked for it first
    query jsonb NOT NULL CHECK (jsonb_typeof(query) = 'object'),
    pictures integer NOT NULL CHECK (pictures > 0),
    bytes bigint NOT NULL CHECK (bytes > 0),
    counts jsonb NOT NULL,                                               -- pictures by label
    created timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON hub.version FOR EACH STATEMENT EXECUTE FUNCTION hub.keep();

CREATE TABLE hub.watch (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person integer NOT NULL REFERENCES hub.person,
    query jsonb NOT NULL CHECK (jsonb_typeof(query) = 'object'),
    least integer NOT NULL CHECK (least > 0),          -- so many pictures of each label are wanted
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'fired', 'withdrawn')),
    found jsonb,                                       -- pictures by label when it fired
    created timestamptz NOT NULL DEFAULT clock_timestamp(),
    fired timestamptz CHECK ((fired IS NULL) = (state <> 'fired')),
    UNIQUE (person, query, least, state)
);
CREATE INDEX watch_waiting ON hub.watch (id) WHERE state = 'waiting';
