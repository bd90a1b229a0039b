-- +goose Up
CREATE TABLE audit_events (
    sequence       INTEGER PRIMARY KEY AUTOINCREMENT,
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

-- +goose Down
DROP TABLE audit_events;
