-- Messages by their moments, 8 bytes each, in ARGV.
-- Answer: for each id, entry, overlay, replies; id and entry empty where there is none.

local rows = {}
for i, moment in ipairs(ARGV) do
  local at = struct.unpack('>I8', moment)
  local entry = message_at(at)
  rows[i] = { id_of(at), entry or '' }
end
return dress(rows, {})
