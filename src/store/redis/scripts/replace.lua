-- Replaces a record's bytes if they are still the ones that were read.
--
-- KEYS: 1 the table   ARGV: 1 id   2 the bytes before   3 the bytes after

if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
