-- Direct replies to a message, on one side of a moment.
--
-- ARGV: 1 'b' before, newest first, or 'a' after, oldest first   2 the moment, itself excluded
--       3 how many at most   4 the parent's moment; moments in 8 bytes
-- Answer: of each what `dress` says.

local members
if ARGV[1] == 'b' then
  members = redis.call('ZREVRANGEBYLEX', base .. 't', '(' .. ARGV[4] .. ARGV[2], '[' .. ARGV[4], 'LIMIT', 0, ARGV[3])
else
  members = redis.call('ZRANGEBYLEX', base .. 't', '(' .. ARGV[4] .. ARGV[2],
    '[' .. ARGV[4] .. '\255\255\255\255\255\255\255\255', 'LIMIT', 0, ARGV[3])
end
local rows = {}
for _, member in ipairs(members) do
  local at = struct.unpack('>I8', string.sub(member, 9, 16))
  local entry, n = message_at(at)
  if entry then rows[#rows + 1] = { id_of(at), entry, n } end
end
return dress(rows, {})
