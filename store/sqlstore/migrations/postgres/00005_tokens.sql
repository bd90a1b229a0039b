-- +goose Up
CREATE TABLE token_families (
    id            TEXT    PRIMARY KEY,
    client_id     TEXT    NOT NULL,
    profile_id    TEXT    NOT NULL,
    user_id       TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    scopes        TEXT    NOT NULL,
    generation    INTEGER NOT NULL,
    nonce         BYTEA    NOT NULL,
    current_hash  BYTEA    NOT NULL,
    previous_hash BYTEA,
    used          BOOLEAN NOT NULL,
    access_token  TEXT    NOT NULL,
    rotated_at    BIGINT  NOT NULL,
    created_at    BIGINT  NOT NULL,
    expires_at    BIGINT  NOT NULL,
    ends_at       BIGINT  NOT NULL,
    auth_time     BIGINT  NOT NULL,
    acr           TEXT    NOT NULL,
    amr           TEXT    NOT NULL,
    code_hash     BYTEA,
    session_id    TEXT    NOT NULL DEFAULT '',
    hook_params   TEXT    NOT NULL DEFAULT ''
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX token_families_profile ON token_families (client_id, profile_id, kind) WHERE profile_id <> 'static';
CREATE INDEX token_families_client ON token_families (client_id, user_id);
CREATE INDEX token_families_user ON token_families (user_id);
CREATE INDEX token_families_session ON token_families (session_id) WHERE session_id <> '';

CREATE TABLE revocations (
    sequence   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject    TEXT    NOT NULL,
    before     BIGINT  NOT NULL,
    keep_until BIGINT  NOT NULL
);
CREATE INDEX revocations_end ON revocations (keep_until);

CREATE TABLE signing_keys (
    slot       TEXT   PRIMARY KEY,
    id         TEXT   NOT NULL UNIQUE,
    algorithm  TEXT   NOT NULL,
    sealed     BYTEA   NOT NULL,
    created_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE signing_keys;
DROP TABLE revocations;
DROP TABLE token_families;
