-- +goose Up
CREATE TABLE audit_events (
    sequence       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time           BIGINT NOT NULL,
    code           TEXT   NOT NULL,
    client_id      TEXT   NOT NULL,
    user_id        TEXT   NOT NULL,
    profile_id     TEXT   NOT NULL,
    application    TEXT   NOT NULL,
    platform       TEXT   NOT NULL,
    version        TEXT   NOT NULL,
    client_ip      TEXT   NOT NULL,
    user_agent     TEXT   NOT NULL,
    transaction_id TEXT   NOT NULL,
    agent          TEXT   NOT NULL,
    admin_user     TEXT   NOT NULL,
    instance       TEXT   NOT NULL,
    details        TEXT   NOT NULL
);

CREATE INDEX audit_events_user ON audit_events (LOWER(user_id), sequence) WHERE user_id <> '';
CREATE INDEX audit_events_client ON audit_events (client_id, sequence) WHERE client_id <> '';
CREATE INDEX audit_events_code ON audit_events (code, sequence);
CREATE INDEX audit_events_time ON audit_events USING BRIN (time);
CREATE INDEX audit_events_transaction ON audit_events (transaction_id);

-- The seals give committed events their dense positions; the rows of audit_events are never changed.
CREATE TABLE audit_seals (
    position BIGINT PRIMARY KEY,
    sequence BIGINT NOT NULL UNIQUE,
    hash     BYTEA  NOT NULL
);

-- One row: how far the sealer has come.
CREATE TABLE audit_sealer (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    position BIGINT NOT NULL,
    scanned  BIGINT NOT NULL,
    hash     BYTEA  NOT NULL
);

-- Sequence numbers below "scanned" that had no row yet: transactions that committed late fill them.
CREATE TABLE audit_gaps (
    sequence BIGINT PRIMARY KEY,
    seen_at  BIGINT NOT NULL
);

CREATE TABLE audit_checkpoints (
    position BIGINT PRIMARY KEY,
    hash     BYTEA  NOT NULL,
    time     BIGINT NOT NULL,
    jws      TEXT   NOT NULL
);

-- Who does what only one process of the cluster may do.
CREATE TABLE leases (
    name    TEXT   PRIMARY KEY,
    holder  TEXT   NOT NULL,
    expires BIGINT NOT NULL
);

-- +goose Down
DROP TABLE leases;
DROP TABLE audit_checkpoints;
DROP TABLE audit_gaps;
DROP TABLE audit_sealer;
DROP TABLE audit_seals;
DROP TABLE audit_events;
