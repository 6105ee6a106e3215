-- Events by number.
--
-- ARGV: 1 the first number   2 how many at most
-- Answer: id of each and the entry as it is stored, in order, without a gap.

local head = redis.call('HGET', KEYS[1], 'h')
if not head then return {} end
local newest = struct.unpack('>I5', head)
local from, left = tonumber(ARGV[1]), tonumber(ARGV[2])
local out = {}
while left > 0 and from <= newest do
  local n = segment_of_seq(from)
  local first, last = n * SEGMENT + 1, math.min((n + 1) * SEGMENT, newest)
  local upto = math.min(last, from + left - 1)
  -- A segment is walked from the nearer end: streams have no index by number.
  if from - first <= last - upto then
    local rows = redis.call('XRANGE', segment_key(n), '-', '+', 'COUNT', upto - first + 1)
    for i = from - first + 1, #rows do
      out[#out + 1] = rows[i][1]
      out[#out + 1] = stored(rows[i])
    end
  else
    local rows = redis.call('XREVRANGE', segment_key(n), '+', '-', 'COUNT', last - from + 1)
    for i = #rows, last - upto + 1, -1 do
      out[#out + 1] = rows[i][1]
      out[#out + 1] = stored(rows[i])
    end
  end
  left = left - (upto - from + 1)
  from = upto + 1
end
return out
