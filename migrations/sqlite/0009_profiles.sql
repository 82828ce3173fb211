-- Measured runs that the simulator has looked at: what each tells of a profile's factors, or why it tells nothing.
CREATE TABLE profile_runs (
    run_id    TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    -- Device, engine, version, precision and kind of model; NULL where the run tells nothing.
    profile   TEXT,
    measured  TEXT CHECK (json_valid(measured)),
    reason    TEXT,
    learnt_at INTEGER NOT NULL
) STRICT;
CREATE INDEX profile_runs_by_profile ON profile_runs (profile, learnt_at);

-- Efficiency factors fitted to those runs. They stay when a run is deleted, until they are fitted again.
CREATE TABLE profiles (
    key       TEXT PRIMARY KEY,
    data      TEXT NOT NULL CHECK (json_valid(data)),
    fitted_at INTEGER NOT NULL
) STRICT;
