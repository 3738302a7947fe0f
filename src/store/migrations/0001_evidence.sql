-- Runs, what they were given, and what they saw. Rosters and evidence are append-only; of a run, only its state grows.
-- Every content hash is SHA-256 over what docs/data-model.md says, so that a changed byte is noticed when it is read.

CREATE TABLE rosters (
    -- SHA-256 of the uncompressed JSON.
    sha256 BLOB NOT NULL PRIMARY KEY,
    -- zlib, JSON {"roster": ..., "policy": ...}.
    body   BLOB NOT NULL
) STRICT;

CREATE TABLE runs (
    id       TEXT    NOT NULL PRIMARY KEY,
    -- Copies of members of run_json, for the queries below only; run_json is the record.
    started  INTEGER NOT NULL,
    state    TEXT    NOT NULL,
    vantage  TEXT    NOT NULL,
    -- Laboratory or simulated: never compared with real runs.
    invented INTEGER NOT NULL,
    run_json TEXT    NOT NULL,
    roster   BLOB    NOT NULL REFERENCES rosters (sha256),
    -- The resolved configuration as TOML, secrets removed.
    config   TEXT    NOT NULL,
    -- SHA-256 over id, roster, config and run_json.
    seal     BLOB    NOT NULL
) STRICT;

CREATE TABLE evidence (
    run      TEXT    NOT NULL REFERENCES runs (id),
    site_key TEXT    NOT NULL,
    round    INTEGER NOT NULL,
    -- zlib, JSON {"version": ..., "site": ..., "round": ...}.
    body     BLOB    NOT NULL,
    -- SHA-256 over run, site_key, round and the uncompressed JSON: a row that was moved is as wrong as one that changed.
    sha256   BLOB    NOT NULL,
    PRIMARY KEY (run, site_key, round)
) STRICT;

CREATE TRIGGER rosters_keep BEFORE UPDATE ON rosters BEGIN
    SELECT RAISE(ABORT, 'rosters are append-only');
END;
CREATE TRIGGER rosters_stay BEFORE DELETE ON rosters BEGIN
    SELECT RAISE(ABORT, 'rosters are append-only');
END;
CREATE TRIGGER runs_keep BEFORE UPDATE OF id, started, vantage, roster, config ON runs BEGIN
    SELECT RAISE(ABORT, 'what a run was given never changes');
END;
CREATE TRIGGER runs_stay BEFORE DELETE ON runs BEGIN
    SELECT RAISE(ABORT, 'runs are never deleted');
END;
CREATE TRIGGER evidence_keep BEFORE UPDATE ON evidence BEGIN
    SELECT RAISE(ABORT, 'evidence is append-only');
END;
CREATE TRIGGER evidence_stay BEFORE DELETE ON evidence BEGIN
    SELECT RAISE(ABORT, 'evidence is append-only');
END;

PRAGMA application_id = 1983279716; -- 'v6rd'
PRAGMA user_version = 1;
