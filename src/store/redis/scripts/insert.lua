-- Adds a record to its table and lists.
--
-- KEYS: 1 the table   2.. the lists   ARGV: 1 id   2 bytes   3 creation in digits

redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
for i = 2, #KEYS do redis.call('ZADD', KEYS[i], ARGV[3], ARGV[1]) end
return 1
