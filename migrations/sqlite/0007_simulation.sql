-- A cluster of kind `catalogue`: hypothetical nodes, for simulation only. A CHECK can't be changed, so that the table is made anew;
-- nothing refers to it by a foreign key.
CREATE TABLE clusters_with_catalogue (
    id         TEXT PRIMARY KEY,
    owner      TEXT REFERENCES users (id),
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('local', 'kubernetes', 'catalogue')),
    -- What the kind needs to be reached; no secret.
    data       TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(data)),
    archived   INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO clusters_with_catalogue SELECT id, owner, name, kind, data, archived, created_at FROM clusters;
DROP TABLE clusters;
ALTER TABLE clusters_with_catalogue RENAME TO clusters;

-- The nodes of a cluster as they were when it was last read, for simulations while it can't be.
CREATE TABLE last_seen_nodes (
    cluster_id TEXT PRIMARY KEY REFERENCES clusters (id) ON DELETE CASCADE,
    nodes      TEXT NOT NULL CHECK (json_valid(nodes)),
    seen_at    INTEGER NOT NULL
) STRICT;
