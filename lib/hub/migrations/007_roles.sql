-- Least privilege: what each role may read and write, whatever the program asks for.
-- Roles belong to the whole server; another database may have made them already, perhaps this very moment.
DO $$
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY ARRAY['hub_supplier', 'hub_customer', 'hub_premium', 'hub_reviewer', 'hub_worker'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = one) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', one);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
        IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
            EXECUTE format('GRANT %I TO current_user', one);
        END IF;
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA hub TO hub_supplier, hub_customer, hub_premium, hub_reviewer, hub_worker;
GRANT SELECT ON hub.label, hub.edge, hub.place, hub.licence, hub.tally
    TO hub_supplier, hub_customer, hub_premium, hub_reviewer, hub_worker;

CREATE FUNCTION hub.me() RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT nullif(current_setting('hub.person', true), '')::integer
$$;

-- What may be chosen from: no more than accepted pictures, and of them nothing private.
CREATE VIEW hub.published AS
    SELECT id, sha256, clean_sha256, clean_bytes, format, width, height, taken, author, place, licence, quality,
           batch, created, filed FROM hub.picture WHERE status = 'accepted';
GRANT SELECT ON hub.published TO hub_supplier, hub_customer, hub_premium, hub_reviewer, hub_worker;
CREATE VIEW hub.published_tag AS
    SELECT tag.* FROM hub.tag JOIN hub.picture ON picture.id = tag.picture WHERE picture.status = 'accepted';
CREATE VIEW hub.published_annotation AS
    SELECT annotation.id, annotation.picture, task, label, origin FROM hub.annotation
    JOIN hub.picture ON picture.id = annotation.picture WHERE picture.status = 'accepted';
GRANT SELECT ON hub.published_tag, hub.published_annotation TO hub_supplier, hub_customer, hub_premium, hub_reviewer,
    hub_worker;

CREATE VIEW hub.daily AS
    SELECT to_char(created, 'YYYY-MM-DD') AS day, status, count(*) AS pictures FROM hub.picture GROUP BY 1, 2;
GRANT SELECT ON hub.daily TO hub_supplier, hub_customer, hub_premium, hub_reviewer, hub_worker;

-- Suppliers: their own batches and pictures, and no one else's.
GRANT SELECT, INSERT ON hub.batch, hub.submission, hub.picture, hub.tag, hub.annotation, hub.position TO hub_supplier;
GRANT UPDATE (done) ON hub.batch TO hub_supplier;
GRANT UPDATE (outcome, reason, stamp, picture, at) ON hub.submission TO hub_supplier;
GRANT SELECT ON hub.finding TO hub_supplier;
GRANT INSERT ON hub.label, hub.place TO hub_supplier;

-- Customers choose and make versions; premium ones have trainings too.
GRANT SELECT, INSERT ON hub.version TO hub_customer, hub_premium;
GRANT SELECT, INSERT ON hub.watch TO hub_customer, hub_premium;
GRANT UPDATE (state) ON hub.watch TO hub_customer, hub_premium;
GRANT SELECT, INSERT ON hub.training TO hub_premium;
GRANT UPDATE (cancel, state, finished) ON hub.training TO hub_premium;

-- Reviewers see all that was sent, say what becomes of it, and put labels right.
GRANT SELECT ON hub.batch, hub.submission, hub.picture, hub.tag, hub.annotation, hub.finding, hub.fingerprint,
    hub.review TO hub_reviewer;
GRANT INSERT ON hub.review, hub.annotation, hub.tag, hub.label TO hub_reviewer;
GRANT DELETE ON hub.tag TO hub_reviewer;
GRANT UPDATE (status, verified) ON hub.picture TO hub_reviewer;

-- The program's own work: verification, watch-list, trainings.
GRANT SELECT ON ALL TABLES IN SCHEMA hub TO hub_worker;
REVOKE SELECT ON hub.position, hub.migration FROM hub_worker;
GRANT INSERT, UPDATE, DELETE ON hub.finding, hub.fingerprint TO hub_worker;
GRANT UPDATE (status, quality, verified) ON hub.picture TO hub_worker;
GRANT UPDATE (quality) ON hub.person TO hub_worker;
GRANT UPDATE (state, found, fired) ON hub.watch TO hub_worker;
GRANT INSERT ON hub.version TO hub_worker;
GRANT UPDATE ON hub.training TO hub_worker;

-- The password of a person's place in the program is no business of any role.
REVOKE SELECT ON hub.person FROM hub_worker;
GRANT SELECT (id, name, quality, active) ON hub.person TO hub_worker, hub_reviewer;

ALTER TABLE hub.batch ENABLE ROW LEVEL SECURITY;
ALTER TABLE hub.submission ENABLE ROW LEVEL SECURITY;
ALTER TABLE hub.picture ENABLE ROW LEVEL SECURITY;
ALTER TABLE hub.tag ENABLE ROW LEVEL SECURITY;
ALTER TABLE hub.annotation ENABLE ROW LEVEL SECURITY;
ALTER TABLE hub.position ENABLE ROW LEVEL SECURITY;
ALTER TABLE hub.finding ENABLE ROW LEVEL SECURITY;
ALTER TABLE hub.watch ENABLE ROW LEVEL SECURITY;
ALTER TABLE hub.training ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION hub.is_mine(one bigint) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog AS $$ SELECT EXISTS (SELECT FROM hub.picture WHERE id = one AND person = hub.me()) $$;

-- Which of these contents are here already, whoever sent them: told to those who hold the content itself.
CREATE FUNCTION hub.known(wanted text[]) RETURNS TABLE (sha256 text, id bigint) LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog AS $$
    SELECT picture.sha256, picture.id FROM hub.picture WHERE picture.sha256 = ANY(wanted) $$;
REVOKE EXECUTE ON FUNCTION hub.known, hub.is_mine, hub.sum_up FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hub.known, hub.is_mine TO hub_supplier;
GRANT EXECUTE ON FUNCTION hub.sum_up TO hub_worker;

CREATE POLICY mine ON hub.batch TO hub_supplier USING (person = (SELECT hub.me()));
CREATE POLICY mine ON hub.picture TO hub_supplier USING (person = (SELECT hub.me()))
    WITH CHECK (person = (SELECT hub.me()) AND status = 'submitted');
CREATE POLICY mine ON hub.submission TO hub_supplier
    USING (batch IN (SELECT id FROM hub.batch WHERE person = (SELECT hub.me())));
-- Asked of every row of a large submission, where a function's call would cost more than its question.
CREATE POLICY mine ON hub.tag TO hub_supplier USING (
    EXISTS (SELECT FROM hub.picture AS own WHERE own.id = tag.picture AND own.person = (SELECT hub.me())));
CREATE POLICY mine ON hub.annotation TO hub_supplier USING (hub.is_mine(picture))
    WITH CHECK (hub.is_mine(picture) AND person = (SELECT hub.me()) AND origin <> 'reviewer');
CREATE POLICY mine ON hub.position TO hub_supplier USING (hub.is_mine(picture));
CREATE POLICY mine ON hub.finding FOR SELECT TO hub_supplier USING (hub.is_mine(picture));
CREATE POLICY mine ON hub.watch TO hub_customer, hub_premium USING (person = (SELECT hub.me()));
CREATE POLICY mine ON hub.training TO hub_premium USING (requested_by = (SELECT hub.me()));

CREATE POLICY every ON hub.batch TO hub_reviewer, hub_worker USING (true);
CREATE POLICY every ON hub.picture TO hub_reviewer, hub_worker USING (true);
CREATE POLICY every ON hub.submission TO hub_reviewer, hub_worker USING (true);
CREATE POLICY every ON hub.tag TO hub_reviewer, hub_worker USING (true);
CREATE POLICY every ON hub.annotation TO hub_reviewer, hub_worker USING (true)
    WITH CHECK (person = (SELECT hub.me()));
CREATE POLICY every ON hub.finding TO hub_reviewer, hub_worker USING (true);
CREATE POLICY every ON hub.watch TO hub_worker USING (true);
CREATE POLICY every ON hub.training TO hub_worker USING (true);
