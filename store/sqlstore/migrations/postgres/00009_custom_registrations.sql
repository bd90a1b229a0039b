-- +goose Up
CREATE TABLE custom_registrations (
    hash          BYTEA    PRIMARY KEY,
    client_id     TEXT    NOT NULL,
    provider      TEXT    NOT NULL,
    api_version   INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    code_index    INTEGER NOT NULL,
    client_code   BYTEA    UNIQUE,
    response_code BYTEA,
    user_id       TEXT    NOT NULL,
    created_at    BIGINT  NOT NULL,
    expires_at    BIGINT  NOT NULL,
    ended         BOOLEAN NOT NULL
);
CREATE INDEX custom_registrations_by_time ON custom_registrations (expires_at);

-- +goose Down
DROP TABLE custom_registrations;
