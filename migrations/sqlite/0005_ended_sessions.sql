-- A session that was ended stays ended, whatever the clock says later.
ALTER TABLE sessions ADD COLUMN ended_at INTEGER;
UPDATE sessions SET ended_at = expires_at WHERE expires_at <= unixepoch() * 1000;
