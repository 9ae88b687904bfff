-- Many rows at once.

-- A batch is one person's: one question asked of each row instead of two, and a stricter one.
ALTER TABLE hub.batch ADD UNIQUE (id, person);
ALTER TABLE hub.picture ADD FOREIGN KEY (batch, person) REFERENCES hub.batch (id, person),
    DROP CONSTRAINT picture_batch_fkey, DROP CONSTRAINT picture_person_fkey;

-- As before, with all pictures looked up together.
CREATE OR REPLACE FUNCTION hub.refile(pictures bigint[]) RETURNS void LANGUAGE sql AS $$
    WITH own AS (
        SELECT id, coalesce(array_agg(label ORDER BY label) FILTER (WHERE label IS NOT NULL), '{}') AS labels
        FROM (SELECT DISTINCT unnest(pictures) AS id) AS wanted LEFT JOIN hub.tag ON tag.picture = wanted.id GROUP BY 1),
    sets AS MATERIALIZED (SELECT labels, hub.filed(labels) AS filed FROM (SELECT DISTINCT labels FROM own) AS each)
    UPDATE hub.picture SET filed = sets.filed FROM own JOIN sets USING (labels)
    WHERE picture.id = own.id AND picture.filed <> sets.filed
$$;
