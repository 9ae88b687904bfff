-- Who takes part, where pictures come from, and on what terms they may be used.
CREATE TABLE hub.person (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^\S(.*\S)?$' AND length(name) <= 100),
    token text UNIQUE CHECK (token ~ '^[0-9a-f]{64}$'),   -- SHA-256 of the bearer token; the token is kept nowhere
    keep_position boolean NOT NULL DEFAULT false,         -- agrees that the GPS position of pictures is kept
    quality real CHECK (quality BETWEEN 0 AND 1),         -- share of what was sent that could be used; NULL: nothing yet
    active boolean NOT NULL DEFAULT true,
    created timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE hub.person_role (
    person integer NOT NULL REFERENCES hub.person,
    role text NOT NULL CHECK (role IN ('supplier', 'customer', 'premium', 'reviewer')),
    PRIMARY KEY (person, role)
);

CREATE TABLE hub.place (
    id integer GENERATED ALWAYS AS IDENTITY (START WITH 1) PRIMARY KEY,
    city text NOT NULL,
    region text NOT NULL,
    country text NOT NULL CHECK (country ~ '^([A-Z]{2})?$'),   -- ISO 3166-1 alpha-2
    latitude real CHECK (latitude BETWEEN -90 AND 90),         -- of the city, degrees; never of a picture
    longitude real CHECK (longitude BETWEEN -180 AND 180),
    UNIQUE (country, region, city)
);
INSERT INTO hub.place (id, city, region, country) OVERRIDING SYSTEM VALUE VALUES (0, '', '', '');  -- not known

CREATE TABLE hub.licence (
    id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9.+-]{1,60}$'),   -- SPDX identifier where there is one
    name text NOT NULL,
    url text NOT NULL
);
INSERT INTO hub.licence VALUES
    ('CC0-1.0', 'Creative Commons Zero 1.0', 'https://creativecommons.org/publicdomain/zero/1.0/'),
    ('CC-BY-2.0', 'Creative Commons Attribution 2.0', 'https://creativecommons.org/licenses/by/2.0/'),
    ('CC-BY-4.0', 'Creative Commons Attribution 4.0', 'https://creativecommons.org/licenses/by/4.0/'),
    ('CC-BY-SA-4.0', 'Creative Commons Attribution-ShareAlike 4.0', 'https://creativecommons.org/licenses/by-sa/4.0/'),
    ('CC-BY-NC-4.0', 'Creative Commons Attribution-NonCommercial 4.0', 'https://creativecommons.org/licenses/by-nc/4.0/'),
    ('MIT', 'MIT License', 'https://opensource.org/license/mit'),
    ('LicenseRef-own-use', 'for use inside the house only', '');
