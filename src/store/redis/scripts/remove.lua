-- Takes a record out of its table and lists.
--
-- KEYS: 1 the table   2.. the lists   ARGV: 1 id
-- Answer: 1 when it was there.

for i = 2, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1]) end
return redis.call('HDEL', KEYS[1], ARGV[1])
