-- The peak figures of devices, as an administrator has stated them.
CREATE TABLE device_specifications (
    id                    TEXT PRIMARY KEY,
    -- The data sheet's name where it is known, else as it was given.
    device                TEXT NOT NULL UNIQUE COLLATE NOCASE,
    -- Dense, 10^12 operations per second.
    peak_fp16_tflops      REAL NOT NULL CHECK (peak_fp16_tflops > 0),
    memory_gib            REAL NOT NULL CHECK (memory_gib > 0),
    -- 10^9 bytes per second.
    memory_bandwidth_gbps REAL NOT NULL CHECK (memory_bandwidth_gbps > 0),
    link_bandwidth_gbps   REAL CHECK (link_bandwidth_gbps > 0),
    set_at                INTEGER NOT NULL
) STRICT;
