-- Counts a resend before it is made.
-- KEYS[1] record; ARGV[1] 1 = count one more, -1 = give one back because the send came to nothing.
-- Returns {OK}, {LIMIT}, {GONE}, {EXPIRED} or {STATE, state}.
local state, expires, used, most = unpack(redis.call('HMGET', KEYS[1], 'state', 'expires_at', 'resends', 'max_resends'))
if not state then return {'GONE'} end
if ARGV[1] == '-1' then
  if tonumber(used) > 0 then redis.call('HINCRBY', KEYS[1], 'resends', -1) end
  return {'OK'}
end
if state ~= 'PENDING' and state ~= 'SMS_SENT' then return {'STATE', state} end
local t = redis.call('TIME')
if tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) >= tonumber(expires) then return {'EXPIRED'} end
if tonumber(used) >= tonumber(most) then return {'LIMIT'} end
redis.call('HINCRBY', KEYS[1], 'resends', 1)
redis.call('HINCRBY', KEYS[1], 'v', 1)
return {'OK'}
