-- The one direct chat of two agents.
--
-- KEYS: 1 the pairs   ARGV: 1 the pair   2 the candidate   3 the chat it may replace, or ''
-- Answer: the chat that is there now.

local there = redis.call('HGET', KEYS[1], ARGV[1])
if there and there ~= ARGV[3] then return there end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return ARGV[2]
