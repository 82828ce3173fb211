-- What the nodes under test and their devices did while a run's load went on, a sample of one source a row.
CREATE TABLE telemetry_samples (
    run_id     TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq        INTEGER NOT NULL,
    node       TEXT NOT NULL,
    source     TEXT NOT NULL,
    at_unix_ns INTEGER NOT NULL,
    data       TEXT NOT NULL CHECK (json_valid(data)),
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;

-- A source that has nothing new answers what it did before.
CREATE UNIQUE INDEX telemetry_once ON telemetry_samples (run_id, node, source, at_unix_ns);
