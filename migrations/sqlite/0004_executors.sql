-- Runs on any kind of cluster, and by any portal process.

-- How far what a cluster tells of a run was read: a text that only the cluster's executor understands. NULL: nothing yet.
ALTER TABLE runs ADD COLUMN cursor TEXT;
UPDATE runs SET cursor = json_object('journal', journal_offset, 'spool', spool_offset)
WHERE status IN ('queued', 'running', 'cancelling') AND (journal_offset > 0 OR spool_offset > 0);
ALTER TABLE runs DROP COLUMN journal_offset;
ALTER TABLE runs DROP COLUMN spool_offset;
-- A process of one machine; it is found by its run's folder.
ALTER TABLE runs DROP COLUMN keeper_pid;
ALTER TABLE runs DROP COLUMN keeper_start;

-- Which portal takes the run through its stages, until when unless it says so again. NULL: none.
ALTER TABLE runs ADD COLUMN claimed_by TEXT;
ALTER TABLE runs ADD COLUMN claim_expires_at INTEGER;

-- The schema of the event's data.
ALTER TABLE run_events ADD COLUMN schema_version INTEGER NOT NULL DEFAULT 1;
