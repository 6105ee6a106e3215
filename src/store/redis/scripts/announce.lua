-- Puts a chat into the lists of its customer, and tells all nodes.
--
-- KEYS: 1 the counter of notices; the other keys of the customer are spelled from it
-- ARGV: 1 chat id   2 its creation in digits   3 't' when it is a channel, else ''
--       4 'c' when it is new, else ''   5 the agents' ids, packed   6 the notice
--       7 marks older than these microseconds are due   8 how many of those to answer with
-- Answer: members and moments of marks of `forget` that are due.

local base = string.sub(KEYS[1], 1, -2)

for i = 1, #ARGV[5], 16 do
  local agent = string.sub(ARGV[5], i, i + 15)
  local hex = string.gsub(agent, '.', function(c) return string.format('%02x', string.byte(c)) end)
  redis.call('ZADD', base .. 'a:' .. hex, ARGV[2], ARGV[1])
  redis.call('ZREM', base .. 'g', agent .. ARGV[1])
end
if ARGV[3] == 't' then redis.call('ZADD', base .. 'talks', ARGV[2], ARGV[1]) end
if ARGV[4] == 'c' then redis.call('ZADD', base .. 'chats', ARGV[2], ARGV[1]) end

local number = redis.call('INCR', KEYS[1])
redis.call('@PUBLISH@', base .. 'e', struct.pack('>I8', number) .. ARGV[6])

local time = redis.call('TIME')
local due = string.format('%d', time[1] * 1000000 + time[2] - ARGV[7])
return redis.call('ZRANGEBYSCORE', base .. 'g', '-inf', due, 'WITHSCORES', 'LIMIT', 0, ARGV[8])
