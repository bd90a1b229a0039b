-- Marks a transaction as fetched and keeps the reply, or returns the reply that the identical proof got before.
-- KEYS[1] record, KEYS[2] reply; ARGV[1] hash of the proof; [2] challenge; [3] reply, '' = may not be repeated;
-- [4] how long the reply is kept, in ms.
-- Returns {OK}, {REPEAT, reply}, {GONE}, {EXPIRED} or {STATE, state}.
local state, expires = unpack(redis.call('HMGET', KEYS[1], 'state', 'expires_at'))
if not state then return {'GONE'} end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local open = state == 'CREATED' or state == 'PENDING' or state == 'FETCHED'
if open and now >= tonumber(expires) then return {'EXPIRED'} end
if state == 'FETCHED' then
  local proof, reply, last = unpack(redis.call('HMGET', KEYS[2], 'proof', 'reply', 'until'))
  if proof == ARGV[1] and now < tonumber(last) then return {'REPEAT', reply} end
end
if state ~= 'CREATED' and state ~= 'PENDING' then return {'STATE', state} end
redis.call('HSET', KEYS[1], 'state', 'FETCHED', 'challenge', ARGV[2], 'fetched_at', string.format('%.0f', now))
redis.call('HINCRBY', KEYS[1], 'v', 1)
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[2], 'proof', ARGV[1], 'reply', ARGV[3], 'until', string.format('%.0f', now + tonumber(ARGV[4])))
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
end
return {'OK'}
