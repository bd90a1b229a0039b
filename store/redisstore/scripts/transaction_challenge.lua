-- Replaces the challenge of a fetched transaction: the old one has been answered.
-- KEYS[1] record; ARGV[1] challenge it must have; [2] challenge it gets; [3] PIN attempts, [4] invalid answers to add.
-- Returns {OK}, {GONE}, {EXPIRED} or {STATE, state}.
local state, expires, challenge = unpack(redis.call('HMGET', KEYS[1], 'state', 'expires_at', 'challenge'))
if not state then return {'GONE'} end
if state ~= 'FETCHED' or challenge ~= ARGV[1] then return {'STATE', state} end
local t = redis.call('TIME')
if tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) >= tonumber(expires) then return {'EXPIRED'} end
redis.call('HSET', KEYS[1], 'challenge', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'v', 1)
redis.call('HINCRBY', KEYS[1], 'pin_attempts', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'invalid_answers', ARGV[4])
return {'OK'}
