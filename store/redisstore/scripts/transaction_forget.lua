-- Deletes a transaction whose push was never accepted, unless the phone was faster.
-- KEYS[1] record.
-- Returns {OK}, {GONE} or {STATE, state}.
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return {'GONE'} end
if state ~= 'CREATED' then return {'STATE', state} end
redis.call('DEL', KEYS[1])
return {'OK'}
