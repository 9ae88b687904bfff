-- Labels as people corrected them: one row for each change, never altered and never removed.
CREATE TABLE corebox.revision (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    edit uuid NOT NULL UNIQUE,              -- made where the change was made: sent twice, it is kept once
    task text NOT NULL,
    relation text NOT NULL,                 -- schema.table of the label that is corrected
    source text NOT NULL,                   -- its picture, as that table names it
    number integer NOT NULL CHECK (number > 0),   -- 1, 2, 3 … for each picture; 0 is the table's own label
    status text NOT NULL CHECK (status IN ('accepted', 'refused', 'bad', 'unsure')),
    label jsonb,                            -- the whole label, lengths in pixels of the upright picture
    was jsonb,                              -- the label it took the place of
    who text NOT NULL CHECK (who <> ''),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    why text NOT NULL,                      -- how it came about: dragged, prediction taken, restored …
    note text NOT NULL,                     -- the reviewer's words
    run text NOT NULL,                      -- the run whose answers were looked at
    seconds real,                           -- how long the picture was looked at
    sha256 text NOT NULL,                   -- of the picture's bytes
    UNIQUE (task, relation, source, number)
);

CREATE FUNCTION corebox.keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a revision is never changed or removed; add another one';
END $$;

CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON corebox.revision
    FOR EACH STATEMENT EXECUTE FUNCTION corebox.keep();
