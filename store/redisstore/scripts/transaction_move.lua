-- Moves a transaction between states, or leaves it as it is.
-- KEYS[1] record; ARGV[1] states it may be in, commas between and around; [2] state it gets; [3] version it must have,
-- 0 = any; [4] 1 when the move follows a decision in SQL: then time has no say; [5] life in ms after a final move,
-- 0 = not final; [6] next challenge or ''; [7] resends, [8] PIN attempts, [9] invalid answers to add.
-- Returns {OK, client, enrollment}, {GONE}, {EXPIRED} or {STATE, state}.
local state, v, expires, client, enrollment =
  unpack(redis.call('HMGET', KEYS[1], 'state', 'v', 'expires_at', 'client_id', 'enrollment_id'))
if not state then return {'GONE'} end
local t = redis.call('TIME')
local over = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) >= tonumber(expires)
if not string.find(ARGV[1], ',' .. state .. ',', 1, true) then return {'STATE', state} end
if ARGV[3] ~= '0' and ARGV[3] ~= v then return {'STATE', state} end
if ARGV[2] == 'EXPIRED' then
  if not over then return {'STATE', state} end
elseif over and ARGV[4] ~= '1' then
  return {'EXPIRED'}
end
redis.call('HSET', KEYS[1], 'state', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'v', 1)
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'challenge', ARGV[6]) end
redis.call('HINCRBY', KEYS[1], 'resends', ARGV[7])
redis.call('HINCRBY', KEYS[1], 'pin_attempts', ARGV[8])
redis.call('HINCRBY', KEYS[1], 'invalid_answers', ARGV[9])
if ARGV[5] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
return {'OK', client or '', enrollment or ''}
