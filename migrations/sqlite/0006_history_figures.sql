-- The figures that the history shows beside p99, and whether the run had a steady-state window (1) or none (0).
ALTER TABLE runs ADD COLUMN ttft_p50_ms REAL;
ALTER TABLE runs ADD COLUMN ttft_p90_ms REAL;
ALTER TABLE runs ADD COLUMN tpot_p50_ms REAL;
ALTER TABLE runs ADD COLUMN tpot_p90_ms REAL;
ALTER TABLE runs ADD COLUMN steady INTEGER;

-- Of the runs that have a report already; a percentile of too few samples stays unknown.
UPDATE runs SET
    ttft_p50_ms = (SELECT CASE WHEN EXISTS (SELECT 1 FROM json_each(r.data, '$.summary.below_floor') f WHERE f.value = 'ttft_ms.p50') THEN NULL
        ELSE json_extract(r.data, '$.summary.ttft_ms.p50') END FROM reports r WHERE r.run_id = runs.id),
    ttft_p90_ms = (SELECT CASE WHEN EXISTS (SELECT 1 FROM json_each(r.data, '$.summary.below_floor') f WHERE f.value = 'ttft_ms.p90') THEN NULL
        ELSE json_extract(r.data, '$.summary.ttft_ms.p90') END FROM reports r WHERE r.run_id = runs.id),
    tpot_p50_ms = (SELECT CASE WHEN EXISTS (SELECT 1 FROM json_each(r.data, '$.summary.below_floor') f WHERE f.value = 'tpot_ms.p50') THEN NULL
        ELSE json_extract(r.data, '$.summary.tpot_ms.p50') END FROM reports r WHERE r.run_id = runs.id),
    tpot_p90_ms = (SELECT CASE WHEN EXISTS (SELECT 1 FROM json_each(r.data, '$.summary.below_floor') f WHERE f.value = 'tpot_ms.p90') THEN NULL
        ELSE json_extract(r.data, '$.summary.tpot_ms.p90') END FROM reports r WHERE r.run_id = runs.id),
    steady = (SELECT json_type(r.data, '$.summary.steady_state') IS NOT NULL FROM reports r
        WHERE r.run_id = runs.id AND json_extract(r.data, '$.summary.successful_requests') > 0)
WHERE id IN (SELECT run_id FROM reports);

-- The search finds models and engines, too.
UPDATE runs SET search = search || char(10) || lower(model) || char(10) || lower(coalesce(engine, ''));
UPDATE benchmarks SET search = search || char(10) || lower(model) || char(10)
    || lower(coalesce(json_extract(spec, '$.serving.engine'), ''));

-- What the history's columns sort by.
CREATE INDEX runs_by_ttft_p90 ON runs (ttft_p90_ms, id);
CREATE INDEX runs_by_tpot_p90 ON runs (tpot_p90_ms, id);
