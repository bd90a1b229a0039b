-- +goose Up
CREATE TABLE installations (
    client_id           TEXT    PRIMARY KEY,
    registration_id     TEXT    NOT NULL UNIQUE,
    application         TEXT    NOT NULL,
    platform            TEXT    NOT NULL,
    version             TEXT    NOT NULL,
    api_version         INTEGER NOT NULL,
    os_version          TEXT    NOT NULL,
    model               TEXT    NOT NULL,
    sdk_version         TEXT    NOT NULL,
    device_name         TEXT    NOT NULL,
    secret_form         TEXT    NOT NULL,
    secret_digest       BYTEA,
    prior_secret_digest BYTEA,
    upgrade_key         BYTEA,
    prior_upgrade_key   BYTEA,
    upgraded_at         BIGINT  NOT NULL,
    signature_index     INTEGER NOT NULL,
    key_id              TEXT,
    public_jwk          BYTEA,
    created_at          BIGINT  NOT NULL,
    last_seen           BIGINT  NOT NULL
);
CREATE UNIQUE INDEX installations_key ON installations (key_id) WHERE key_id IS NOT NULL;
CREATE INDEX installations_version ON installations (application, platform, version);

CREATE TABLE profiles (
    client_id    TEXT    NOT NULL REFERENCES installations (client_id) ON DELETE CASCADE,
    profile_id   TEXT    NOT NULL,
    user_id      TEXT    NOT NULL,
    pin_failures INTEGER NOT NULL,
    created_at   BIGINT  NOT NULL,
    last_login   BIGINT  NOT NULL,
    PRIMARY KEY (client_id, profile_id),
    UNIQUE (client_id, user_id)
);
CREATE INDEX profiles_user ON profiles (user_id);

-- +goose Down
DROP TABLE profiles;
DROP TABLE installations;
