-- Appends the events of one commit, makes what follows from them true, and tells it; or nothing.
--
-- ARGV: 1 chat id
--       2 what is expected: 'A' and the first entry's moment in decimal digits,
--         or 'R' and the number of the rules in 5 bytes
--       3 number after which an earlier attempt is looked for, in digits; '' for no such attempt
--       4 number in 5 bytes and nonce of the newest entry that the caller knows; '' for none
--       then for each entry: the entry from its nonce on; the letters of its changes; and behind
--       these the arguments of each letter:
--         c               the chat begins
--         u d r           updated now, deleted now, rules changed now
--         s n  1 bytes    customer and kind; name and detail
--         j    1 packed   agent and participant id of each who joins
--         l    1 agent    leaves
--         t    1 parent   is a reply to the message of this moment
--         f g  1 file     carries the file; no longer carries it
--         o    4          overlay of an older message: its moment, before, after without the open
--                         moments at its end, how many those are
--         x    2          empties an older message: its moment, what is left from the kind on
-- Answer: {'=', number and moment of the first, moment of the second.., nonce of the entry before
--         them or ''}  it was made
--         {'R', id, entry, ..}  an earlier attempt had made it: the entries as they stand
--         {'C'}  conflict     {'K'}  key taken by another chat
-- Published on the chat's channel: see envelope.rs.

local ARITY = { c = 0, u = 0, d = 0, r = 0, s = 1, n = 1, j = 1, l = 1, t = 1, f = 1, g = 1, o = 4, x = 2 }
local FIRST = 5
-- Seconds for which the nonce of an idempotency key is remembered.
local KEPT = 86400

local meta = redis.call('HMGET', KEYS[1], 'i', 'h', 'r')
local chat, head, rules = meta[1], meta[2], meta[3]
local absent = string.byte(ARGV[2]) == 65
local seq, last, previous = 0, 0, ''
local known, proof
if ARGV[4] ~= '' then known, proof = struct.unpack('>I5', ARGV[4]), string.sub(ARGV[4], 6, 13) end
if chat then
  if chat ~= ARGV[1] then return { absent and 'K' or 'C' } end
  seq, last = struct.unpack('>I5I8', head)
  previous = string.sub(head, 14, 21)
end

-- Calls `entry` with every entry, and `change` with every letter of its changes and the place of the
-- letter's arguments.
local function walk(entry, change)
  local i = FIRST
  while i < #ARGV do
    local at, letters = i, ARGV[i + 1]
    if entry then entry(ARGV[at]) end
    i = i + 2
    for l = 1, #letters do
      local letter = string.sub(letters, l, l)
      change(letter, i)
      i = i + ARITY[letter]
    end
  end
end

local count = 0
walk(function() count = count + 1 end, function() end)

-- The entries of an earlier attempt: from the one of this nonce on, as many as there are here. On the
-- way back it passes the newest entry that the caller knows: `false` when that is another one.
local function earlier(after, nonce)
  local later, number, least = {}, seq, after + 1
  if known and known <= seq then least = math.min(least, known) end
  local n, upto = segment_of_seq(seq), '+'
  while number >= least and n >= 0 do
    local rows = redis.call('XREVRANGE', segment_key(n), upto, '-', 'COUNT', math.min(number - least + 1, 64))
    for _, row in ipairs(rows) do
      later[#later + 1] = { row[1], stored(row), n }
      local its = string.sub(row[2][2], NONCE, NONCE + 7)
      if number > after and its == nonce then
        local answer = { 'R' }
        for i = #later, math.max(#later - count + 1, 1), -1 do
          answer[#answer + 1] = later[i][1]
          answer[#answer + 1] = numbered(later[i][2], later[i][3])
        end
        return answer
      end
      if number == known and its ~= proof then return false end
      number = number - 1
    end
    if #rows == 0 then n, upto = n - 1, '+' else upto = '(' .. rows[#rows][1] end
  end
end

-- In a cluster: while the slot is on its way to another server, some keys of the chat are there
-- already. A key that is nowhere then is refused here, before anything is written.
@SETTLED@

-- The same for a nonce that stands for an idempotency key: the chat remembers its moment.
local nonce = string.sub(ARGV[FIRST], 1, 8)
local keyed = string.byte(nonce) >= 128
local function remembered()
  local at = redis.call('ZSCORE', base .. 'k', nonce)
  local time = redis.call('TIME')
  if not at or tonumber(at) < (time[1] - KEPT) * 1000000 then return end
  local answer, left = { 'R' }, count
  local n, from = segment_of(tonumber(at)), id_of(tonumber(at))
  while left > 0 do
    local rows = redis.call('XRANGE', segment_key(n), from, '+', 'COUNT', left)
    for _, row in ipairs(rows) do
      answer[#answer + 1] = row[1]
      answer[#answer + 1] = numbered(stored(row), n)
    end
    if #rows == 0 then break end
    n, from, left = n + 1, '-', left - #rows
  end
  return answer
end

if chat and (keyed or known or ARGV[3] ~= '') then
  local after = tonumber(ARGV[3]) or seq
  local made = keyed and remembered()
  if not made then
    -- A history that does not reach so far, or has something else there, is not what the caller saw.
    if seq < math.max(after, known or 0) then return { 'C' } end
    if known == seq then
      if previous ~= proof then return { 'C' } end
      -- Proved: `earlier` need not pass it.
      known = nil
    end
    made = earlier(after, nonce)
    if made == false then return { 'C' } end
  end
  if made then
    -- Written again, so that an answer that assures this assures what was made.
    redis.call('HSET', KEYS[1], 'h', head)
    return made
  end
end

if absent then
  if chat then return { 'C' } end
elseif not chat or rules ~= string.sub(ARGV[2], 2) then
  return { 'C' }
end

local conflict = false
walk(nil, function(letter, i)
  -- A parent that a failover took away: the decision saw another history.
  if letter == 't' and not message_at(struct.unpack('>I8', ARGV[i])) then conflict = true end
  if letter ~= 'o' then return end
  local stored = redis.call('HGET', base .. 'o', ARGV[i]) or ''
  if stored ~= ARGV[i + 1] or not message_at(struct.unpack('>I8', ARGV[i])) then conflict = true end
end)
if conflict then return { 'C' } end

-- Nothing below refuses any more.

local set, told, touched = {}, {}, {}
local answer = { '=' }
local stamp, moment

local function join(packed)
  local fields = {}
  for i = 1, #packed, 32 do
    fields[#fields + 1] = string.sub(packed, i, i + 15)
    fields[#fields + 1] = string.sub(packed, i + 16, i + 31) .. moment .. stamp
    if #fields == 1000 then
      redis.call('HSET', base .. 'p', unpack(fields))
      fields = {}
    end
  end
  if #fields > 0 then redis.call('HSET', base .. 'p', unpack(fields)) end
end

-- Redis sets 4 KB aside for the newest node of a stream. A copy has only what it needs: for a log
-- that has just begun, and may stay short, and for a segment that is complete.
local function fit(n)
  redis.call('COPY', segment_key(n), base .. 'z')
  redis.call('RENAME', base .. 'z', segment_key(n))
end

-- Streams cannot change an entry, and XDEL leaves the bytes where they are: written anew.
local function empty(at, rest)
  local n, id = segment_of(at), id_of(at)
  local key = segment_key(n)
  local rows = redis.call('XRANGE', key, '-', '+')
  redis.call('DEL', key)
  for _, row in ipairs(rows) do
    local value = row[2][2]
    if row[1] == id then value = string.sub(value, 1, KIND - 1) .. rest end
    redis.call('XADD', key, row[1], row[2][1], value)
  end
  fit(n)
end

local make = {
  c = function() set.i, set.c = ARGV[1], moment end,
  u = function() set.u = moment end,
  d = function() set.d = moment end,
  r = function() set.r = stamp end,
  s = function(i) set.s = ARGV[i] end,
  n = function(i) set.n = ARGV[i] end,
  j = function(i) join(ARGV[i]) end,
  l = function(i) redis.call('HDEL', base .. 'p', ARGV[i]) end,
  t = function(i) redis.call('ZADD', base .. 't', 0, ARGV[i] .. moment) end,
  f = function(i) redis.call('HINCRBY', base .. 'f', ARGV[i], 1) end,
  g = function(i)
    if redis.call('HINCRBY', base .. 'f', ARGV[i], -1) <= 0 then redis.call('HDEL', base .. 'f', ARGV[i]) end
  end,
  o = function(i)
    local overlay = ARGV[i + 2] .. string.rep(moment, tonumber(ARGV[i + 3]))
    redis.call('HSET', base .. 'o', ARGV[i], overlay)
    touched = { ARGV[i], overlay }
  end,
  x = function(i) empty(struct.unpack('>I8', ARGV[i]), ARGV[i + 1]) end,
}

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local entry

-- What is told of an entry: itself, and the older message that it changed as that is now.
local function tell()
  told[#told + 1] = moment .. struct.pack('>I4', #entry) .. entry
  if touched[1] then
    local message = numbered(message_at(struct.unpack('>I8', touched[1])))
    told[#told + 1] = '\1' .. touched[1] .. struct.pack('>I4', #message) .. message
      .. struct.pack('>I4', #touched[2]) .. touched[2] .. struct.pack('>I4', replies_to(touched[1]))
  else
    told[#told + 1] = '\0'
  end
end

local function append(tail)
  seq = seq + 1
  if absent and seq == 1 then last = tonumber(string.sub(ARGV[2], 2)) else last = math.max(now, last + 1) end
  stamp, moment, touched = struct.pack('>I5', seq), pack(last), {}
  entry = '@VERSION@' .. stamp .. tail
  local n = segment_of_seq(seq)
  redis.call('XADD', segment_key(n), id_of(last), '@VERSION@', string.char((seq - 1) % SEGMENT) .. tail)
  if seq == 1 then
    fit(0)
  elseif (seq - 1) % SEGMENT == 0 then
    redis.call('APPEND', base .. 'x', moment)
    fit(n - 1)
  end
  set.h = stamp .. moment .. string.sub(tail, 1, 8)
  answer[#answer + 1] = #answer == 1 and stamp .. moment or moment
end

local open = false
walk(function(tail)
  if open then tell() end
  append(tail)
  open = true
end, function(letter, i) make[letter](i) end)
tell()

local fields = {}
for field, value in pairs(set) do
  fields[#fields + 1] = field
  fields[#fields + 1] = value
end
redis.call('HSET', KEYS[1], unpack(fields))
if keyed then
  local first = struct.unpack('>I8', string.sub(answer[2], 6))
  redis.call('ZADD', base .. 'k', string.format('%d', first), nonce)
  redis.call('ZREMRANGEBYSCORE', base .. 'k', '-inf', string.format('%d', now - KEPT * 1000000))
  redis.call('EXPIRE', base .. 'k', KEPT)
end
redis.call('@PUBLISH@', base .. 'e', '@VERSION@' .. (previous == '' and string.rep('\0', 8) or previous)
  .. table.concat(told))
answer[#answer + 1] = previous
return answer
