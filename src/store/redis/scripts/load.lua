-- The chat without its messages.
--
-- Answer: {the fields of `m` that are named below, all of the roster}
local meta = redis.call('HMGET', KEYS[1], 'i', 'h', 'r', 's', 'n', 'c', 'u', 'd')
if not meta[1] then return { meta, {} } end
return { meta, redis.call('HGETALL', string.sub(KEYS[1], 1, -2) .. 'p') }
