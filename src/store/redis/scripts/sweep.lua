-- Settles a mark of `forget` after the chat's roster was asked, if the mark is still the same.
--
-- KEYS: 1 the marks   2 the agent's list
-- ARGV: 1 the mark, agent and chat id   2 its moment   3 'y' when the agent is a member again

if redis.call('ZSCORE', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
if ARGV[3] ~= 'y' then redis.call('ZREM', KEYS[2], string.sub(ARGV[1], 17, 32)) end
return 1
