-- Gives a unique name up, if it is this record's.
--
-- KEYS: 1 the name   ARGV: 1 customer and id

local there = redis.call('GET', KEYS[1])
if not there or string.sub(there, 1, 32) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
