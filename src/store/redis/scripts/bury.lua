-- Takes a deleted chat out of the customer's lists.
--
-- KEYS: 1 the counter of notices; the other keys of the customer are spelled from it
-- ARGV: 1 chat id   2 the agents' ids, packed

local base = string.sub(KEYS[1], 1, -2)
for i = 1, #ARGV[2], 16 do
  local agent = string.sub(ARGV[2], i, i + 15)
  local hex = string.gsub(agent, '.', function(c) return string.format('%02x', string.byte(c)) end)
  redis.call('ZREM', base .. 'a:' .. hex, ARGV[1])
  redis.call('ZREM', base .. 'g', agent .. ARGV[1])
end
redis.call('ZREM', base .. 'talks', ARGV[1])
redis.call('ZREM', base .. 'chats', ARGV[1])
return 1
