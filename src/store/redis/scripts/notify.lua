-- Tells all nodes that watch a customer.
--
-- KEYS: 1 the counter of notices   ARGV: 1 the notice

local number = redis.call('INCR', KEYS[1])
redis.call('@PUBLISH@', string.sub(KEYS[1], 1, -2) .. 'e', struct.pack('>I8', number) .. ARGV[1])
return number
