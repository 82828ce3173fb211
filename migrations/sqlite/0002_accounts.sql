-- Accounts that are shut or given up; forms that outlive their session; a draft's first save happens once.

-- A shut account comes back with all it had; one that was removed never does, but its runs stay, and they name it.
ALTER TABLE users ADD COLUMN disabled_at INTEGER;
ALTER TABLE users ADD COLUMN removed_at INTEGER;

-- Which drawing of the empty form began a draft: a second click sends the same.
ALTER TABLE workflows ADD COLUMN begun_by TEXT;
CREATE UNIQUE INDEX workflows_by_form ON workflows (owner, begun_by) WHERE begun_by IS NOT NULL;

-- What a person typed into a form that was refused, or whose session had ended: shown again after the redirect, never in a
-- URL. Short-lived, so nothing is carried over from the older table.
DROP TABLE form_entries;
CREATE TABLE form_entries (
    id         TEXT PRIMARY KEY,
    -- NULL while nobody knows who typed it: then only the browser that sent it can take it at the next sign-in there.
    owner      TEXT REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 of what that browser keeps in a cookie.
    browser    BLOB,
    -- The draft that the form was about: who may not see the draft may not take the entries either.
    about      TEXT,
    data       TEXT NOT NULL CHECK (json_valid(data)),
    expires_at INTEGER NOT NULL,
    CHECK (owner IS NOT NULL OR browser IS NOT NULL)
) STRICT;
CREATE INDEX form_entries_by_end ON form_entries (expires_at);
-- The oldest ones of a person, or of nobody, go when there are too many.
CREATE INDEX form_entries_by_owner ON form_entries (owner, expires_at);
