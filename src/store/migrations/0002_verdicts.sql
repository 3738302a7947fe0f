-- Verdicts, for history. A cache: `judge` makes them again from the evidence at any time, and overwrites them here.

CREATE TABLE verdicts (
    run            TEXT NOT NULL REFERENCES runs (id),
    site_key       TEXT NOT NULL,
    readiness      TEXT NOT NULL,
    reason         TEXT NOT NULL,
    -- Of the program that judged, which may be newer than the one that measured.
    method_version TEXT NOT NULL,
    PRIMARY KEY (run, site_key)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 2;
