-- Writes an enrollment in flight, or replaces it when its challenge has not been answered yet.
-- KEYS[1] record; ARGV[1] challenge it must have, '' = it must not exist; [2] challenge it gets; [3] end, ms since 1970;
-- [4] life in ms; [5] the record.
-- Returns OK, GONE or CONFLICT.
local challenge, ends = unpack(redis.call('HMGET', KEYS[1], 'challenge', 'expires_at'))
if ARGV[1] == '' then
  if challenge then return 'CONFLICT' end
else
  local t = redis.call('TIME')
  local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
  if not challenge or now >= tonumber(ends) then return 'GONE' end
  if challenge ~= ARGV[1] then return 'CONFLICT' end
end
redis.call('HSET', KEYS[1], 'challenge', ARGV[2], 'expires_at', ARGV[3], 'record', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'OK'
