-- What was sent, and the pictures that came of it: one row for each content, whoever sent it and however often.
CREATE TABLE hub.batch (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person integer NOT NULL REFERENCES hub.person,
    key text NOT NULL CHECK (key <> ''),      -- names the submission: the same one sent again is the same batch
    source text NOT NULL,
    done boolean NOT NULL DEFAULT false,
    created timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (person, key)
);

CREATE TABLE hub.picture (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256 text NOT NULL UNIQUE CHECK (sha256 ~ '^[0-9a-f]{64}$'),   -- of the bytes as sent; the store's name for them
    bytes integer NOT NULL CHECK (bytes > 0),
    clean_sha256 text NOT NULL CHECK (clean_sha256 ~ '^[0-9a-f]{64}$'),  -- of the file as given out, without metadata
    clean_bytes integer NOT NULL CHECK (clean_bytes > 0),
    format text NOT NULL CHECK (format IN ('JPEG', 'PNG')),
    width integer NOT NULL CHECK (width > 0),      -- px, upright
    height integer NOT NULL CHECK (height > 0),
    taken timestamp,                               -- as EXIF tells it, in the camera's own time
    author text NOT NULL DEFAULT '',
    name text NOT NULL,                            -- the file's name as sent
    person integer NOT NULL REFERENCES hub.person,
    batch bigint NOT NULL REFERENCES hub.batch,
    place integer NOT NULL DEFAULT 0 REFERENCES hub.place,
    licence text NOT NULL REFERENCES hub.licence,
    status text NOT NULL DEFAULT 'submitted' CHECK (status IN ('submitted', 'accepted', 'review', 'refused')),
    quality real CHECK (quality BETWEEN 0 AND 1),
    created timestamptz NOT NULL DEFAULT clock_timestamp(),
    verified timestamptz
);
CREATE INDEX picture_waiting ON hub.picture (id) WHERE status = 'submitted';
CREATE INDEX picture_review ON hub.picture (id) WHERE status = 'review';
CREATE INDEX picture_person ON hub.picture (person, status);
CREATE INDEX picture_batch ON hub.picture (batch);
CREATE INDEX picture_where ON hub.picture (place, licence, id) WHERE status = 'accepted';
CREATE INDEX picture_created ON hub.picture (created) WHERE status = 'accepted';

-- Every file of every batch and what became of it, so that what was sent and what is there can be reconciled.
CREATE TABLE hub.submission (
    batch bigint NOT NULL REFERENCES hub.batch,
    name text NOT NULL CHECK (name <> ''),
    outcome text NOT NULL CHECK (outcome IN ('new', 'known', 'refused')),
    reason text NOT NULL DEFAULT '' CHECK (outcome <> 'refused' OR reason <> ''),
    stamp text NOT NULL DEFAULT '',                -- size and time at the source, by which a change is noticed
    picture bigint REFERENCES hub.picture CHECK (outcome = 'refused' OR picture IS NOT NULL),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (batch, name)
);
CREATE INDEX submission_picture ON hub.submission (picture);

-- Where exactly a picture was taken: only with its supplier's consent, and never in anything that is given out.
CREATE TABLE hub.position (
    picture bigint PRIMARY KEY REFERENCES hub.picture,
    latitude double precision NOT NULL CHECK (latitude BETWEEN -90 AND 90),
    longitude double precision NOT NULL CHECK (longitude BETWEEN -180 AND 180)
);
