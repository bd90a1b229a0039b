-- +goose Up
CREATE TABLE transaction_outcomes (
    transaction_id TEXT   PRIMARY KEY,
    state          TEXT   NOT NULL,
    reason         TEXT   NOT NULL,
    method         TEXT   NOT NULL,
    answer_hash    BYTEA,
    result         TEXT   NOT NULL,
    decided_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL
);
CREATE INDEX transaction_outcomes_expiry ON transaction_outcomes (expires_at);

CREATE TABLE transaction_answers (
    transaction_id TEXT    NOT NULL,
    answer_hash    BYTEA    NOT NULL,
    status         INTEGER NOT NULL,
    body           TEXT    NOT NULL,
    answered_at    BIGINT  NOT NULL,
    expires_at     BIGINT  NOT NULL,
    PRIMARY KEY (transaction_id, answer_hash)
);
CREATE INDEX transaction_answers_expiry ON transaction_answers (expires_at);

-- +goose Down
DROP TABLE transaction_answers;
DROP TABLE transaction_outcomes;
