// Package e2e holds the black-box tests: the built binary, real PostgreSQL, real Redis, the stand-ins of the push services
// and of a portal, and the virtual phone. They speak HTTP only, read the audit log through the events API, and spell audit
// codes as literals, so that a change of the catalogue cannot slip through both sides at once.
//
//	make e2e                     everything; writes build/audit-coverage.json
//	make e2e RUN=TestJourney     one test
//
// The binary is the one that TOKENSERVER_BIN names. Two deployments are shared by the tests: "embedded", one process on its
// own SQLite file and its own Redis, and "cluster", two processes on one PostgreSQL database and one Redis behind a small
// proxy. Tests that kill things start a deployment of their own. Logs and files of all of them are under build/e2e/.
//
// A binary that was built with -cover leaves its counters in the folder that GOCOVERDIR names.
//
// Every request carries a transaction id of the harness, "TestName#number", in a header that the deployments are configured
// to believe, and a client address of the test's own. The list of codes of one id is compared whole: an event too many fails
// as loudly as one missing. What the servers stored is also the only source of build/audit-coverage.json; a core code that
// no test saw must stand in docs/audit-unreached.txt with its reason.
package e2e
