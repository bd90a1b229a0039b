// Package ratelimit counts failures in windows of time and says when it is enough. The counts are shared through Redis;
// when Redis is away every process counts for itself. What has been used up is remembered in the process, so that a
// request that is refused costs no round trip, and one that is not refused costs none either.
package ratelimit
