-- Reads a device login for its device and, while nobody has decided, counts polls that come too early: the first is
-- forgiven, each further one adds to the interval.
-- KEYS[1] record; ARGV[1] what is added, in ms; [2] the longest interval, in ms.
-- Returns {} when it is unknown, else {state, record, 1 = slow down}.
local state, record, interval, polled = unpack(redis.call('HMGET', KEYS[1], 'state', 'record', 'interval', 'polled_at'))
if not state then return {} end
if state ~= 'PENDING' then return {state, record, '0'} end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local slow = '0'
if polled and now < tonumber(polled) + tonumber(interval) then
  if redis.call('HINCRBY', KEYS[1], 'early', 1) > 1 then
    slow = '1'
    redis.call('HSET', KEYS[1], 'interval', math.min(tonumber(interval) + tonumber(ARGV[1]), tonumber(ARGV[2])))
  end
end
redis.call('HSET', KEYS[1], 'polled_at', string.format('%.0f', now))
return {state, record, slow}
