-- Replaces a record if it still has the version that the caller read.
-- KEYS[1] transaction; ARGV: version it must have, next version, next record (JSON), its life (ms)
local version = redis.call('HGET', KEYS[1], 'version')
if not version then return 'unknown' end
if version ~= ARGV[1] then return 'conflict' end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'record', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'moved'
