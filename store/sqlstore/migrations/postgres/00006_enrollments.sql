-- +goose Up
CREATE TABLE mobile_enrollments (
    id              TEXT   PRIMARY KEY,
    client_id       TEXT   NOT NULL,
    user_id         TEXT   NOT NULL,
    profile_id      TEXT   NOT NULL,
    app_id          TEXT   NOT NULL,
    platform        TEXT   NOT NULL,
    sig_jwk         TEXT   NOT NULL,
    enc_jwk         TEXT,
    server_enc_kid  TEXT   NOT NULL,
    server_sig_kid  TEXT   NOT NULL,
    push_token      BYTEA,
    push_token_hash BYTEA,
    push_state      TEXT   NOT NULL,
    device_name     TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    UNIQUE (client_id, user_id),
    UNIQUE (client_id, profile_id),
    FOREIGN KEY (client_id, profile_id) REFERENCES profiles (client_id, profile_id) ON DELETE CASCADE
);
CREATE INDEX mobile_enrollments_user ON mobile_enrollments (user_id, app_id);
CREATE INDEX mobile_enrollments_push_token ON mobile_enrollments (push_token_hash) WHERE push_token_hash IS NOT NULL;

CREATE TABLE server_keys (
    kid           TEXT   PRIMARY KEY,
    purpose       TEXT   NOT NULL,
    private_jwk   BYTEA   NOT NULL,
    enrollment_id TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    retired_at    BIGINT NOT NULL
);
CREATE UNIQUE INDEX server_keys_shared ON server_keys (purpose) WHERE enrollment_id = '' AND retired_at = 0;
CREATE INDEX server_keys_enrollment ON server_keys (enrollment_id) WHERE enrollment_id <> '';

-- A row stands here only inside a transaction: whoever inserts a name makes everybody else wait who wants the same.
CREATE TABLE enrollment_turns (
    name TEXT PRIMARY KEY
);

-- +goose Down
DROP TABLE enrollment_turns;
DROP TABLE server_keys;
DROP TABLE mobile_enrollments;
