-- Claims a unique name, or takes it over from a claim that was found to hold nothing.
--
-- KEYS: 1 the name   ARGV: 1 customer and id   2 the claim that may be replaced, or ''
-- Answer: the claim that is there now, and the server's time: a claim is customer, id, moment.

local time = redis.call('TIME')
local now = struct.pack('>I8', time[1] * 1000000 + time[2])
local there = redis.call('GET', KEYS[1])
if there and there ~= ARGV[2] then return { there, now } end
redis.call('SET', KEYS[1], ARGV[1] .. now)
return { ARGV[1] .. now, now }
