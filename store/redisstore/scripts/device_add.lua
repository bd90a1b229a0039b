-- Writes a new device login.
-- KEYS[1] record; ARGV[1] life in ms; then field, value, …
-- Returns OK or EXISTS.
if redis.call('EXISTS', KEYS[1]) == 1 then return 'EXISTS' end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 'OK'
