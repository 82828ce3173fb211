-- What a form has done: sent again with the same fields, it is answered the same way and acts no second time.
CREATE TABLE form_actions (
    -- SHA-256 over the person, the form's number and its fields. Passwords are never among these; providers' secrets are,
    -- which are as random as the digest is long.
    key        BLOB PRIMARY KEY,
    owner      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Both NULL while the action is under way.
    path       TEXT,
    sentence   TEXT,
    -- Of an action under way: until when another process takes it for alive.
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX form_actions_by_end ON form_actions (expires_at);

-- The lines of one stage's log, and the snapshots of the load, without reading all events of a run.
CREATE INDEX run_log_lines ON run_events (run_id, json_extract(data, '$.stage'), seq) WHERE name = 'log';
CREATE INDEX run_progress ON run_events (run_id, seq) WHERE name = 'progress';
CREATE INDEX run_turns ON run_events (run_id, seq) WHERE name IN ('stage', 'end');
