-- What an hour of a device costs, as an administrator has set it; all in one currency.
CREATE TABLE device_prices (
    id       TEXT PRIMARY KEY,
    -- The data sheet's name where it is known, else as it was given.
    device   TEXT NOT NULL UNIQUE COLLATE NOCASE,
    per_hour REAL NOT NULL CHECK (per_hour >= 0),
    currency TEXT NOT NULL,
    set_at   INTEGER NOT NULL
) STRICT;
