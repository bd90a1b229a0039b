// Package lifecycle ends things: a profile, an enrollment, an installation. What goes with it goes in the same SQL
// transaction: tokens, enrollments, server keys, records, and the open authentication transactions of what is gone,
// each with its durable outcome and the callback to its portal. Redis is moved once that has committed.
//
// Every method is called inside a transaction of the SQL store, by whoever has a reason to: a PIN limit, an
// enrollment that replaces another one, a helpdesk, an end user. The caller records the event.
package lifecycle
