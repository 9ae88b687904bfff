-- Administrators manage accounts, and see no more of the rest than anybody who may browse.
DO $$
BEGIN
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hub_admin') THEN
            CREATE ROLE hub_admin NOLOGIN;
        END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        GRANT hub_admin TO current_user;
    END IF;
END $$;

ALTER TABLE hub.person_role DROP CONSTRAINT person_role_role_check,
    ADD CONSTRAINT person_role_role_check CHECK (role IN ('supplier', 'customer', 'premium', 'reviewer', 'admin'));

GRANT USAGE ON SCHEMA hub TO hub_admin;
GRANT SELECT ON hub.label, hub.edge, hub.place, hub.licence, hub.tally, hub.published, hub.published_tag,
    hub.published_annotation, hub.daily TO hub_admin;
GRANT SELECT (id, name, keep_position, quality, active, created), INSERT (name, token, keep_position),
    UPDATE (token, active) ON hub.person TO hub_admin;
GRANT SELECT, INSERT, DELETE ON hub.person_role TO hub_admin;
