-- Adds a transaction to the set of an enrollment and keeps the set as long as its longest member.
-- KEYS[1] set; ARGV[1] transaction; [2] life in ms.
redis.call('SADD', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 'OK'
