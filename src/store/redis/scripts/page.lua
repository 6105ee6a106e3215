-- Messages on one side of a moment.
--
-- ARGV: 1 'b' before, newest first, or 'a' after, oldest first   2 the moment, itself excluded
--       3 how many at most   4 how many entries to look at, at most
-- Answer: {'.', ...} the log has no more on that side, or {moment, ...} looked as far as that;
--         then of each message what `dress` says.

local head = redis.call('HGET', KEYS[1], 'h')
if not head then return { '.' } end
local seq, last = struct.unpack('>I5I8', head)
local newest = segment_of_seq(seq)

local back, at = ARGV[1] == 'b', tonumber(ARGV[2])
local left, budget = tonumber(ARGV[3]), tonumber(ARGV[4])
local from, n
if back and at > last then
  from, n = '+', newest
else
  from, n = '(' .. id_of(at), segment_of(at)
end

-- Before the beginning of time there is nothing, and the id before it cannot be spelled.
if back and at == 0 then return { '.' } end

local rows, reached = {}, '.'
while n >= 0 and n <= newest do
  if left == 0 or budget <= 0 then break end
  local count = math.min(left, budget)
  local key, page = segment_key(n), nil
  if back then
    page = redis.call('XREVRANGE', key, from, '-', 'COUNT', count)
  else
    page = redis.call('XRANGE', key, from, '+', 'COUNT', count)
  end
  for _, row in ipairs(page) do
    if is_message(row) then
      rows[#rows + 1] = { row[1], stored(row), n }
      left = left - 1
    end
  end
  budget = budget - #page
  if #page > 0 then reached = page[#page][1] end
  if #page < count then
    n = back and n - 1 or n + 1
    from = back and '+' or '-'
  else
    from = '(' .. reached
  end
end
if n < 0 or n > newest then reached = '.' end
return dress(rows, { reached })
