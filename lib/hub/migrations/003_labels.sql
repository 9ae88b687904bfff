-- Labels with their hierarchy, which pictures have which, and how many there are.
CREATE TABLE hub.label (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE CHECK (key <> ''),    -- /m/0bt9lr of Open Images; else the name in small letters
    name text NOT NULL CHECK (name ~ '^[^;[:cntrl:]]+$' AND length(name) <= 200)
);
CREATE UNIQUE INDEX label_name ON hub.label (lower(name));

-- A label may stand under several others (in Open Images a harbor seal is a mammal and a marine animal).
CREATE TABLE hub.edge (
    parent integer NOT NULL REFERENCES hub.label,
    child integer NOT NULL REFERENCES hub.label,
    PRIMARY KEY (parent, child),
    CHECK (parent <> child)
);
CREATE INDEX edge_child ON hub.edge (child);

CREATE FUNCTION hub.under(top integer[]) RETURNS SETOF integer LANGUAGE sql STABLE AS $$
    WITH RECURSIVE tree(id) AS (
        SELECT unnest(top) UNION SELECT edge.child FROM hub.edge JOIN tree ON edge.parent = tree.id)
    SELECT id FROM tree
$$;

CREATE FUNCTION hub.above(bottom integer[]) RETURNS SETOF integer LANGUAGE sql STABLE AS $$
    WITH RECURSIVE tree(id) AS (
        SELECT unnest(bottom) UNION SELECT edge.parent FROM hub.edge JOIN tree ON edge.child = tree.id)
    SELECT id FROM tree
$$;

CREATE FUNCTION hub.no_circle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM hub.under(ARRAY[NEW.child]) AS below WHERE below = NEW.parent) THEN
        RAISE EXCEPTION 'label % cannot stand under label %, which stands under it', NEW.child, NEW.parent
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER no_circle BEFORE INSERT OR UPDATE ON hub.edge FOR EACH ROW EXECUTE FUNCTION hub.no_circle();

CREATE TABLE hub.tag (
    picture bigint NOT NULL REFERENCES hub.picture,
    label integer NOT NULL REFERENCES hub.label,
    PRIMARY KEY (picture, label)
);
CREATE INDEX tag_label ON hub.tag (label, picture);

-- The labels of a picture with all that stand above them, sorted: what selection searches and counts are made of.
ALTER TABLE hub.picture ADD COLUMN filed integer[] NOT NULL DEFAULT '{}';
CREATE INDEX picture_filed ON hub.picture USING gin (filed) WHERE status = 'accepted';

CREATE FUNCTION hub.filed(labels integer[]) RETURNS integer[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(DISTINCT one ORDER BY one), '{}') FROM hub.above(labels) AS one
$$;

-- Writes only what is not right already: bulk submission files its pictures itself.
CREATE FUNCTION hub.refile(pictures bigint[]) RETURNS void LANGUAGE sql AS $$
    WITH own AS (
        SELECT wanted.id, coalesce((SELECT array_agg(label ORDER BY label) FROM hub.tag WHERE tag.picture = wanted.id),
                                   '{}') AS labels
        FROM (SELECT DISTINCT unnest(pictures) AS id) AS wanted),
    sets AS MATERIALIZED (SELECT labels, hub.filed(labels) AS filed FROM (SELECT DISTINCT labels FROM own) AS each)
    UPDATE hub.picture SET filed = sets.filed FROM own JOIN sets USING (labels)
    WHERE picture.id = own.id AND picture.filed <> sets.filed
$$;

CREATE FUNCTION hub.tagged() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM hub.refile(ARRAY(SELECT picture FROM changed));
    RETURN NULL;
END $$;
CREATE TRIGGER tagged_in AFTER INSERT ON hub.tag REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION hub.tagged();
CREATE TRIGGER tagged_out AFTER DELETE ON hub.tag REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION hub.tagged();

CREATE FUNCTION hub.regrouped() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM hub.refile(ARRAY(SELECT tag.picture FROM hub.tag WHERE label IN (
        SELECT hub.under(ARRAY(SELECT child FROM changed)))));
    RETURN NULL;
END $$;
CREATE TRIGGER regrouped_in AFTER INSERT ON hub.edge REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION hub.regrouped();
CREATE TRIGGER regrouped_out AFTER DELETE ON hub.edge REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION hub.regrouped();

-- Counts as differences that are summed up: writers never wait for each other at a counter. Label 0 counts all.
CREATE TABLE hub.tally (
    label integer NOT NULL,
    status text NOT NULL,
    change bigint NOT NULL
);

CREATE FUNCTION hub.count_in() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO hub.tally SELECT one, status, count(*) FROM changed, unnest(array_append(filed, 0)) AS one GROUP BY 1, 2;
    RETURN NULL;
END $$;
CREATE TRIGGER count_in AFTER INSERT ON hub.picture REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION hub.count_in();

CREATE FUNCTION hub.count_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO hub.tally SELECT one, status, sum(change) FROM (
        SELECT one, status, 1 AS change FROM after, unnest(array_append(filed, 0)) AS one UNION ALL
        SELECT one, status, -1 FROM before, unnest(array_append(filed, 0)) AS one) AS each
    GROUP BY 1, 2 HAVING sum(change) <> 0;
    RETURN NULL;
END $$;
CREATE TRIGGER count_change AFTER UPDATE ON hub.picture REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION hub.count_change();

CREATE FUNCTION hub.count_out() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO hub.tally SELECT one, status, -count(*) FROM changed, unnest(array_append(filed, 0)) AS one GROUP BY 1, 2;
    RETURN NULL;
END $$;
CREATE TRIGGER count_out AFTER DELETE ON hub.picture REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION hub.count_out();

CREATE FUNCTION hub.sum_up() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH old AS (DELETE FROM hub.tally RETURNING *)
    INSERT INTO hub.tally SELECT label, status, sum(change) FROM old GROUP BY 1, 2 HAVING sum(change) <> 0
$$;
