// Package jobs does the work that outlives its request: callbacks, notices. A job is a row that was written in the SQL
// transaction of its cause, so that it exists exactly when its cause does. A Runner claims rows with a lease, works on
// them and tries again by Wait until a try succeeds or the last one has failed; then the job is buried for people to
// look at. Delivery is at least once: a process that dies in the middle gives its jobs back when the lease ends.
//
// Each try has an audit trail of its own. The events of a job's end are committed with the end itself, so that each
// job ends with its events exactly once, however many processes worked on it.
package jobs
