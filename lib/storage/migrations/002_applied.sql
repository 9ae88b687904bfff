-- Corrections that were written into the user's own table, never altered and never removed.
CREATE TABLE corebox.applied (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    revision bigint NOT NULL REFERENCES corebox.revision (id),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    was jsonb,                              -- the row's own columns before, as texts; NULL: there was no such row
    now jsonb NOT NULL                      -- the label that was written, lengths in pixels of the upright picture
);

CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON corebox.applied
    FOR EACH STATEMENT EXECUTE FUNCTION corebox.keep();
