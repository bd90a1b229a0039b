-- Changes a live session; one that has ended stays ended.
-- KEYS[1] session; ARGV: its life (ms), then fields and values
if redis.call('EXISTS', KEYS[1]) == 0 then return 'unknown' end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
if ARGV[1] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return 'changed'
