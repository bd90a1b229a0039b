// Package testenv starts private copies of the servers that tests, benchmarks and the black-box suite need: PostgreSQL,
// Redis and a three-node Redis cluster, on free loopback ports, with everything they write in a temporary folder.
//
// Tests call Postgres, Redis and RedisCluster, which clean up by themselves. Other programs call StartPostgres,
// StartRedis and StartRedisCluster and stop what they started; these values can also be killed, restarted and paused,
// for tests of a server that loses its store. The command in cmd/testenv runs another command between start and stop.
//
// A copy never outlives the process that started it, also when that one is killed: the kernel then signals the child
// (Linux only; elsewhere the copies stop only on the ordinary ways out). PostgreSQL refuses to run as root, so root
// starts it as the user postgres or nobody. The package is no part of the server and nothing of the server imports it.
package testenv
