-- The one claim of an idempotency key.
--
-- KEYS: 1 the key's claim   2 the agent's new keys within an hour
-- ARGV: 1 the claim   2 how many new ones an hour may bring   3 seconds it is kept
-- Answer: the claim that is there now, or nil when the agent used too many.

local there = redis.call('GET', KEYS[1])
if there then return there end
local used = tonumber(redis.call('GET', KEYS[2]) or '0')
if used >= tonumber(ARGV[2]) then return false end
if redis.call('INCR', KEYS[2]) == 1 then redis.call('EXPIRE', KEYS[2], 3600) end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return ARGV[1]
