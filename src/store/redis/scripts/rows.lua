-- Rows of a list that is ordered by moment and id.
--
-- KEYS: 1 the list   2 the hash with the rows' bytes, if there is one
-- ARGV: 1 'n' newest first or 'o' oldest first   2 how many at most
--       3 the moment to go on from, in digits, or '' for the beginning   4 the id there, excluded
-- Answer: id, moment and, with a hash, bytes of each.

local newest = ARGV[1] == 'n'
local limit = tonumber(ARGV[2])
local out = {}

-- Whether a stands before b in the order of bytes; `<` would ask the server's language.
local function before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local function add(id, moment)
  if #out >= limit then return end
  out[#out + 1] = { id, moment }
end

if ARGV[3] ~= '' then
  -- Those of the same moment, of which there are few, are told apart by their ids.
  local verb = newest and 'ZREVRANGEBYSCORE' or 'ZRANGEBYSCORE'
  for _, id in ipairs(redis.call(verb, KEYS[1], ARGV[3], ARGV[3])) do
    local further
    if newest then further = before(id, ARGV[4]) else further = before(ARGV[4], id) end
    if further then add(id, ARGV[3]) end
  end
end

local left = limit - #out
if left > 0 then
  local rows
  if newest then
    local from = ARGV[3] == '' and '+inf' or '(' .. ARGV[3]
    rows = redis.call('ZREVRANGEBYSCORE', KEYS[1], from, '-inf', 'WITHSCORES', 'LIMIT', 0, left)
  else
    local from = ARGV[3] == '' and '-inf' or '(' .. ARGV[3]
    rows = redis.call('ZRANGEBYSCORE', KEYS[1], from, '+inf', 'WITHSCORES', 'LIMIT', 0, left)
  end
  for i = 1, #rows, 2 do add(rows[i], rows[i + 1]) end
end

local flat, ids = {}, {}
for i, row in ipairs(out) do ids[i] = row[1] end
local bytes = {}
if KEYS[2] and #ids > 0 then bytes = redis.call('HMGET', KEYS[2], unpack(ids)) end
for i, row in ipairs(out) do
  flat[#flat + 1] = row[1]
  flat[#flat + 1] = row[2]
  if KEYS[2] then flat[#flat + 1] = bytes[i] or '' end
end
return flat
