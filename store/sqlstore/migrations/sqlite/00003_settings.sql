-- +goose Up
CREATE TABLE settings_documents (
    kind     TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    position INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    PRIMARY KEY (kind, name)
);

CREATE TABLE settings_version (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    version BIGINT  NOT NULL
);
INSERT INTO settings_version (id, version) VALUES (1, 0);

CREATE TABLE accounts (
    id            TEXT    PRIMARY KEY,
    username      TEXT    NOT NULL,
    username_key  TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    disabled      BOOLEAN NOT NULL DEFAULT FALSE,
    attributes    TEXT    NOT NULL,
    created_at    BIGINT  NOT NULL,
    updated_at    BIGINT  NOT NULL,
    sign_ins_since BIGINT NOT NULL DEFAULT 0,
    namespace     TEXT    NOT NULL DEFAULT '',
    external_id   TEXT    NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX accounts_username ON accounts (namespace, username_key);

-- +goose Down
DROP TABLE accounts;
DROP TABLE settings_version;
DROP TABLE settings_documents;
