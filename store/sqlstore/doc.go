// Package sqlstore keeps what must survive: settings, installations, profiles, keys, enrollments, refresh token
// families, accounts, decisions, audit events, jobs. SQLite and PostgreSQL, one code path.
//
// InTx is its heart: the decision of a request, its audit events and its jobs commit together or not at all. Hot paths
// speak SQL through database/sql; administration and other rare paths go through gorm. Single use is always one
// conditional statement and the number of rows it touched, never an error code of the driver.
//
// Times are stored as microseconds since 1970-01-01 UTC in BIGINT columns, on both engines alike; zero is "none".
package sqlstore
