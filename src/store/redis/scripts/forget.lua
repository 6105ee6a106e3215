-- Marks a chat as forgotten for some agents; nothing leaves their lists yet.
--
-- KEYS: 1 the marks
-- ARGV: 1 chat id   2 the agents' ids, packed   3 marks older than these microseconds are due
--       4 how many of those to answer with
-- Answer: members and moments of marks that are due.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for i = 1, #ARGV[2], 16 do
  redis.call('ZADD', KEYS[1], string.format('%d', now), string.sub(ARGV[2], i, i + 15) .. ARGV[1])
end
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%d', now - ARGV[3]), 'WITHSCORES', 'LIMIT', 0, ARGV[4])
