-- Ends an access token earlier, never later. KEYS[1] the record; ARGV: the new end as in the record (16 hex digits), TTL in ms
local ends = redis.call('GETRANGE', KEYS[1], 2, 17)
if #ends == 16 and ends > ARGV[1] then
  redis.call('SETRANGE', KEYS[1], 2, ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
