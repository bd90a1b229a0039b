-- Removes a record if it still has the version that the caller read: of several racing endings exactly one wins.
-- KEYS[1] transaction; ARGV: version it must have
local version = redis.call('HGET', KEYS[1], 'version')
if not version then return 'unknown' end
if version ~= ARGV[1] then return 'conflict' end
redis.call('DEL', KEYS[1])
return 'moved'
