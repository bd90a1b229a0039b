-- Lists a transaction as open for its installation, unless too many are.
-- KEYS[1] sorted set of open transactions, score = expiry in ms; ARGV[1] transaction; [2] its expiry in ms; [3] limit;
-- [4] how long the list outlives its last member, in ms.
-- Returns how many are open, this one included; -1 when the limit is reached already.
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local open = redis.call('ZCARD', KEYS[1])
if open >= tonumber(ARGV[3]) then return -1 end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIRE', KEYS[1], math.max(tonumber(last[2]) - now, 0) + tonumber(ARGV[4]))
return open + 1
