-- Moves a device login to another state: of several racing moves exactly one wins.
-- KEYS[1] record; ARGV[1] state it must have; [2] state it gets; [3] record (JSON), '' = as it is; [4] 1 = also after its end.
-- Returns moved, unknown, expired or conflict.
local state, expires = unpack(redis.call('HMGET', KEYS[1], 'state', 'expires_at'))
if not state then return 'unknown' end
if ARGV[4] ~= '1' then
  local t = redis.call('TIME')
  if tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) >= tonumber(expires) then return 'expired' end
end
if state ~= ARGV[1] then return 'conflict' end
redis.call('HSET', KEYS[1], 'state', ARGV[2])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'record', ARGV[3]) end
return 'moved'
