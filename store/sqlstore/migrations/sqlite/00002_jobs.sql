-- +goose Up
CREATE TABLE jobs (
    id         TEXT    PRIMARY KEY,
    kind       TEXT    NOT NULL,
    payload    TEXT    NOT NULL,
    attempts   INTEGER NOT NULL,
    not_before BIGINT  NOT NULL,
    created_at BIGINT  NOT NULL,
    dead       BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX jobs_due ON jobs (kind, not_before) WHERE NOT dead;

-- +goose Down
DROP TABLE jobs;
