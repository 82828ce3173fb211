-- Which load a run's figures are of, in words, where it had several; and what became of its latency limits.
ALTER TABLE runs ADD COLUMN chosen_load TEXT;
ALTER TABLE runs ADD COLUMN limits TEXT CHECK (limits IN ('met', 'not_met', 'undecided', 'none'));

-- Of the runs that have a report already. A rate's words have three significant digits, as those of later runs.
UPDATE runs SET chosen_load = (
    SELECT CASE
        WHEN json_extract(chosen.value, '$.concurrency') IS NOT NULL
            THEN printf('%,d in flight', json_extract(chosen.value, '$.concurrency'))
        WHEN json_extract(chosen.value, '$.rate') = round(json_extract(chosen.value, '$.rate'))
            THEN printf('%,d requests/s', json_extract(chosen.value, '$.rate'))
        WHEN json_extract(chosen.value, '$.rate') BETWEEN 0.001 AND 99
            THEN printf('%#.3g requests/s', json_extract(chosen.value, '$.rate'))
        WHEN json_extract(chosen.value, '$.rate') BETWEEN 99 AND 999
            THEN printf('%.0f requests/s', json_extract(chosen.value, '$.rate'))
        END
    FROM reports r, json_each(r.data, '$.load_points') chosen
    WHERE r.run_id = runs.id AND chosen.key = coalesce(json_extract(r.data, '$.best'), 0)
        AND json_array_length(r.data, '$.load_points') > 1
);
UPDATE runs SET limits = (
    SELECT CASE json_extract(chosen.value, '$.meets_slo')
        WHEN 1 THEN 'met'
        WHEN 0 THEN 'not_met'
        ELSE (SELECT CASE WHEN coalesce(json_extract(b.spec, '$.load.slo.ttft_ms'), json_extract(b.spec, '$.load.slo.tpot_ms'),
                json_extract(b.spec, '$.load.slo.e2el_ms')) IS NULL THEN 'none' ELSE 'undecided' END
            FROM benchmarks b WHERE b.id = runs.benchmark_id)
        END
    FROM reports r, json_each(r.data, '$.load_points') chosen
    WHERE r.run_id = runs.id AND chosen.key = coalesce(json_extract(r.data, '$.best'), 0)
)
WHERE valid = 1;
