-- +goose Up
CREATE TABLE consents (
    user_id   TEXT   NOT NULL,
    client_id TEXT   NOT NULL,
    scope     TEXT   NOT NULL,
    given_at  BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id, scope)
);

CREATE TABLE used_codes (
    code_hash BLOB   PRIMARY KEY,
    client_id TEXT   NOT NULL,
    user_id   TEXT   NOT NULL,
    family_id TEXT   NOT NULL,
    used_at   BIGINT NOT NULL
);
CREATE INDEX used_codes_by_time ON used_codes (used_at);

CREATE TABLE sign_in_attempts (
    subject       TEXT    PRIMARY KEY,
    attempts      INTEGER NOT NULL,
    blocked_until BIGINT  NOT NULL,
    last_at       BIGINT  NOT NULL
);
CREATE INDEX sign_in_attempts_by_time ON sign_in_attempts (last_at);

CREATE TABLE known_browsers (
    browser_hash BLOB   NOT NULL,
    user_id      TEXT   NOT NULL,
    last_used    BIGINT NOT NULL,
    PRIMARY KEY (browser_hash, user_id)
);
CREATE INDEX known_browsers_by_user ON known_browsers (user_id);

CREATE TABLE step_up_tries (
    transaction_id TEXT    PRIMARY KEY,
    tries          INTEGER NOT NULL,
    verified       BOOLEAN NOT NULL,
    last_at        BIGINT  NOT NULL
);
CREATE INDEX step_up_tries_by_time ON step_up_tries (last_at);

-- +goose Down
DROP TABLE step_up_tries;
DROP TABLE known_browsers;
DROP TABLE sign_in_attempts;
DROP TABLE used_codes;
DROP TABLE consents;
