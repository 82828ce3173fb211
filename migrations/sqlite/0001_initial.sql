-- The first schema. Conventions, chosen so that PostgreSQL can have the same logical schema: ids are uuids as TEXT, times
-- are INTEGER milliseconds UTC, booleans are INTEGER 0 or 1, JSON is TEXT, secrets and hashes are BLOB.
-- Every object has an `owner`; NULL means that it comes with Dyno and everybody may use it.

CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    -- Names are told apart without regard to case, so that nobody signs up as "Anna" beside "anna".
    name          TEXT NOT NULL COLLATE NOCASE UNIQUE,
    role          TEXT NOT NULL CHECK (role IN ('administrator', 'member')),
    -- Argon2id in PHC form; NULL until the one-time link was used.
    password_hash TEXT,
    created_at    INTEGER NOT NULL
) STRICT;

-- Links that let a person set a password. Only the SHA-256 of the link's token is kept.
CREATE TABLE one_time_links (
    hash       BLOB PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- Set when it was used; a used link stays until it expires, so that it can say that it was used.
    used_at    INTEGER
) STRICT, WITHOUT ROWID;
-- A new link replaces a person's older ones.
CREATE INDEX one_time_links_by_user ON one_time_links (user_id);

CREATE TABLE sessions (
    -- SHA-256 of the cookie's value: who reads the database can't take a session over.
    hash         BLOB PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   INTEGER NOT NULL,
    -- For the idle end.
    last_seen_at INTEGER NOT NULL,
    -- The absolute end.
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- A changed password or a removed person ends all sessions of that person.
CREATE INDEX sessions_by_user ON sessions (user_id);
-- The sweep of ended sessions.
CREATE INDEX sessions_by_end ON sessions (expires_at);

CREATE TABLE tokens (
    id           TEXT PRIMARY KEY,
    owner        TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    -- SHA-256 of 256 random bits; UNIQUE is the index that each request with a token uses.
    hash         BLOB NOT NULL UNIQUE,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT;
CREATE INDEX tokens_by_owner ON tokens (owner);

-- Clusters, models, datasets and credentials are few (tens, hundreds): they are listed whole, and need no further index.
CREATE TABLE clusters (
    id         TEXT PRIMARY KEY,
    owner      TEXT REFERENCES users (id),
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('local', 'kubernetes')),
    -- What the kind needs to be reached; no secret.
    data       TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(data)),
    archived   INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE models (
    id         TEXT PRIMARY KEY,
    owner      TEXT REFERENCES users (id),
    name       TEXT NOT NULL,
    -- Source and facts.
    data       TEXT NOT NULL CHECK (json_valid(data)),
    archived   INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;

-- The rows of a dataset are a file in the data folder, since they are only read from front to back.
CREATE TABLE datasets (
    id         TEXT PRIMARY KEY,
    owner      TEXT REFERENCES users (id),
    name       TEXT NOT NULL,
    data       TEXT NOT NULL CHECK (json_valid(data)),
    archived   INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE credentials (
    id         TEXT PRIMARY KEY,
    owner      TEXT NOT NULL REFERENCES users (id),
    name       TEXT NOT NULL,
    provider   TEXT NOT NULL,
    -- The one scheme, host and port that the secret goes to.
    origin     TEXT NOT NULL,
    -- Which key sealed the secret.
    key_id     TEXT NOT NULL,
    -- Nonce and ciphertext, bound to table, id and owner.
    sealed     BLOB NOT NULL,
    archived   INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;

-- Drafts of the wizard, and what became of them.
CREATE TABLE workflows (
    id           TEXT PRIMARY KEY,
    owner        TEXT NOT NULL REFERENCES users (id),
    name         TEXT NOT NULL,
    -- Rises with each change: the guard against two tabs.
    revision     INTEGER NOT NULL,
    -- Everything that the steps hold.
    state        TEXT NOT NULL CHECK (json_valid(state)),
    -- Set once the last step was triggered, and never again. Who deletes that run deletes the finished draft with it:
    -- without its run it would look like one that can still be triggered.
    benchmark_id TEXT REFERENCES benchmarks (id) ON DELETE CASCADE,
    run_id       TEXT REFERENCES runs (id) ON DELETE CASCADE,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;
-- The list of a person's drafts, newest first.
CREATE INDEX workflows_by_owner ON workflows (owner, updated_at DESC);
-- Deleting a run or a benchmark looks for the workflow that names it.
CREATE INDEX workflows_by_run ON workflows (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX workflows_by_benchmark ON workflows (benchmark_id) WHERE benchmark_id IS NOT NULL;

CREATE TABLE benchmarks (
    id          TEXT PRIMARY KEY,
    owner       TEXT NOT NULL REFERENCES users (id),
    workflow_id TEXT,
    name        TEXT NOT NULL,
    -- Name, tags and description in lower case, for the search.
    search      TEXT NOT NULL,
    model       TEXT NOT NULL,
    cluster     TEXT NOT NULL,
    -- The whole frozen specification.
    spec        TEXT NOT NULL CHECK (json_valid(spec)),
    created_at  INTEGER NOT NULL
) STRICT;
-- A workflow freezes one benchmark, however often it is asked (clones have workflows of their own).
CREATE UNIQUE INDEX benchmarks_by_workflow ON benchmarks (workflow_id) WHERE workflow_id IS NOT NULL;
CREATE INDEX benchmarks_by_time ON benchmarks (created_at, id);

-- Filtering the history by tag.
CREATE TABLE benchmark_tags (
    tag          TEXT NOT NULL,
    benchmark_id TEXT NOT NULL REFERENCES benchmarks (id) ON DELETE CASCADE,
    PRIMARY KEY (tag, benchmark_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX benchmark_tags_by_benchmark ON benchmark_tags (benchmark_id);

-- Which models, datasets, credentials and clusters benchmarks were made of: what is named here is archived, not deleted.
CREATE TABLE benchmark_uses (
    object_id    TEXT NOT NULL,
    benchmark_id TEXT NOT NULL REFERENCES benchmarks (id) ON DELETE CASCADE,
    PRIMARY KEY (object_id, benchmark_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX benchmark_uses_by_benchmark ON benchmark_uses (benchmark_id);

CREATE TABLE runs (
    id             TEXT PRIMARY KEY,
    benchmark_id   TEXT NOT NULL REFERENCES benchmarks (id),
    owner          TEXT NOT NULL REFERENCES users (id),
    kind           TEXT NOT NULL CHECK (kind IN ('measured', 'simulated')),
    status         TEXT NOT NULL CHECK (status IN
        ('queued', 'running', 'cancelling', 'succeeded', 'partial', 'failed', 'cancelled', 'interrupted')),
    reason         TEXT,
    -- What the history shows, searches and sorts by. Copied from the benchmark, which never changes, so that the history
    -- reads one table, and each sort can walk one index.
    name           TEXT NOT NULL,
    -- Name, tags and description in lower case, for the search.
    search         TEXT NOT NULL,
    model          TEXT NOT NULL,
    engine         TEXT,
    cluster        TEXT NOT NULL,
    devices        TEXT NOT NULL DEFAULT '',
    load           TEXT NOT NULL DEFAULT '',
    creator        TEXT NOT NULL,
    -- The headline of the report; NULL before there is one, or where samples were too few.
    valid             INTEGER CHECK (valid IN (0, 1)),
    output_throughput REAL,
    ttft_p99_ms       REAL,
    tpot_p99_ms       REAL,
    error_rate        REAL,
    -- The nodes that the run needs for itself, as `cluster id/hostname`; a JSON array.
    nodes          TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(nodes)),
    -- A person has asked for the end.
    cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
    -- The process that owns engine and load, with its start time (ticks since boot), since process ids are used again.
    keeper_pid     INTEGER,
    keeper_start   INTEGER,
    -- How far its journal and the load's spool were read into this database, bytes.
    journal_offset INTEGER NOT NULL DEFAULT 0,
    spool_offset   INTEGER NOT NULL DEFAULT 0,
    created_at     INTEGER NOT NULL,
    started_at     INTEGER,
    ended_at       INTEGER
) STRICT;
CREATE INDEX runs_by_benchmark ON runs (benchmark_id);
-- The history, newest first: its default, and within any date range.
CREATE INDEX runs_by_time ON runs (created_at, id);
-- The history of one person.
CREATE INDEX runs_by_owner ON runs (owner, created_at, id);
-- What is not over: read at every start of the portal and by the queue. Partial, since nearly all runs are over.
CREATE INDEX runs_open ON runs (created_at) WHERE status IN ('queued', 'running', 'cancelling');
-- Filters, each with the newest first.
CREATE INDEX runs_by_status ON runs (status, created_at, id);
CREATE INDEX runs_by_model ON runs (model, created_at, id);
CREATE INDEX runs_by_cluster ON runs (cluster, created_at, id);
-- Sorts by a figure or by name: the page's rows come from the index, not from sorting all runs. `id` makes each order total.
CREATE INDEX runs_by_name ON runs (name COLLATE NOCASE, id);
CREATE INDEX runs_by_throughput ON runs (output_throughput, id);
CREATE INDEX runs_by_ttft ON runs (ttft_p99_ms, id);
CREATE INDEX runs_by_tpot ON runs (tpot_p99_ms, id);
CREATE INDEX runs_by_error_rate ON runs (error_rate, id);

CREATE TABLE stages (
    run_id     TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    id         TEXT NOT NULL,
    status     TEXT NOT NULL CHECK (status IN ('pending', 'running', 'succeeded', 'failed', 'skipped', 'cancelled')),
    started_at INTEGER,
    ended_at   INTEGER,
    message    TEXT,
    PRIMARY KEY (run_id, position),
    UNIQUE (run_id, id)
) STRICT, WITHOUT ROWID;

-- Read only as "those of this run after that number", which is the primary key; kept in its order.
CREATE TABLE run_events (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq    INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    name   TEXT NOT NULL CHECK (name IN ('stage', 'progress', 'log', 'end')),
    data   TEXT NOT NULL CHECK (json_valid(data)),
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE reports (
    run_id     TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    data       TEXT NOT NULL CHECK (json_valid(data)),
    created_at INTEGER NOT NULL
) STRICT;

-- A run's records lie together (the primary key), so that its page is sorted and filtered among its own records only; the
-- columns are what that needs, `data` is the record.
CREATE TABLE request_records (
    run_id        TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq           INTEGER NOT NULL,
    id            TEXT NOT NULL,
    node          TEXT NOT NULL,
    load_point    INTEGER NOT NULL,
    phase         TEXT NOT NULL CHECK (phase IN ('warmup', 'measured')),
    sent_unix_ns  INTEGER,
    ttft_ms       REAL,
    tpot_ms       REAL,
    e2el_ms       REAL,
    input_tokens  INTEGER,
    output_tokens INTEGER,
    error_class   TEXT,
    http_status   INTEGER,
    data          TEXT NOT NULL CHECK (json_valid(data)),
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;

-- What a person typed into a form that was posted without WASM and had errors: shown again after the redirect, never in a
-- URL. Short-lived.
CREATE TABLE form_entries (
    id         TEXT PRIMARY KEY,
    owner      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    data       TEXT NOT NULL CHECK (json_valid(data)),
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX form_entries_by_end ON form_entries (expires_at);
