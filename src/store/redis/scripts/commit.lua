-- Makes commits of one chat, one after the other: each appends its events, and makes what follows
-- from them true, or does nothing. What was appended is told at the end, all at once.
--
-- ARGV: 1 chat id
--       then for each commit:
--         what is expected: 'A' and the first entry's moment in decimal digits,
--         or 'R' and the number of the rules in 5 bytes
--         number after which an earlier attempt is looked for, in digits; '' for no such attempt
--         number in 5 bytes and nonce of the newest entry that the caller knows; '' for none
--         how many arguments its entries have, in digits
--         and for each entry: the entry from its nonce on; the letters of its changes; and behind
--         these the arguments of each letter:
--           c               the chat begins
--           u d r           updated now, deleted now, rules changed now
--           s n  1 bytes    customer and kind; name and detail
--           j    1 packed   agent and participant id of each who joins
--           l    1 agent    leaves
--           t    1 parent   is a reply to the message of this moment
--           f g  1 file     carries the file; no longer carries it
--           o    4          overlay of an older message: its moment, before, after without the open
--                           moments at its end, how many those are
--           x    2          empties an older message: its moment, what is left from the kind on
-- Answer: for each commit
--         {'=', number and moment of the first, moment of the second.., nonce of the entry before
--         them or ''}  it was made
--         {'R', id, entry, ..}  an earlier attempt had made it: the entries as they stand
--         {'C'}  conflict     {'K'}  key taken by another chat
-- Published on the chat's channel: see envelope.rs.

local ARITY = { c = 0, u = 0, d = 0, r = 0, s = 1, n = 1, j = 1, l = 1, t = 1, f = 1, g = 1, o = 4, x = 2 }
-- Seconds for which the nonce of an idempotency key is remembered.
local KEPT = 86400

local meta = redis.call('HMGET', KEYS[1], 'i', 'h', 'r')
local taken = meta[1] and meta[1] ~= ARGV[1]
-- Whether the chat is there, the number of its rules, and its newest entry: number, moment, nonce.
local there, rules = meta[1] == ARGV[1], meta[3]
local seq, last, previous = 0, 0, ''
if there then
  seq, last = struct.unpack('>I5I8', meta[2])
  previous = string.sub(meta[2], 14, 21)
end
-- What changes in KEYS[1]: by the commit under way, and by those that are made.
local set, changed = {}, {}

-- The end of the log as far as it is known here: rows and nonces by number, from `lowest` on, and the
-- numbers of the nonces. Commits that are made together know much the same of it: it is read once.
local rows_of, nonces, numbers, lowest = {}, {}, {}, seq + 1
if there then nonces[seq] = previous end

local function know(number, row)
  local its = string.sub(row[2][2], NONCE, NONCE + 7)
  rows_of[number], nonces[number] = row, its
  numbers[its] = math.max(numbers[its] or 0, number)
end

local function read_back(least)
  local n = segment_of_seq(lowest - 1)
  local upto = rows_of[lowest] and '(' .. rows_of[lowest][1] or '+'
  while lowest > least and n >= 0 do
    local rows = redis.call('XREVRANGE', segment_key(n), upto, '-', 'COUNT', math.min(lowest - least, 64))
    for _, row in ipairs(rows) do
      lowest = lowest - 1
      know(lowest, row)
    end
    if #rows == 0 then n, upto = n - 1, '+' else upto = '(' .. rows[#rows][1] end
  end
end

-- Calls `entry` with every entry of the commit between these places, and `change` with every letter of
-- its changes and the place of the letter's arguments.
local function walk(i, behind, entry, change)
  while i < behind do
    local letters = ARGV[i + 1]
    entry(ARGV[i])
    i = i + 2
    for l = 1, #letters do
      local letter = string.sub(letters, l, l)
      change(letter, i)
      i = i + ARITY[letter]
    end
  end
end

local function nothing() end

local function count(i, behind)
  local entries = 0
  walk(i, behind, function() entries = entries + 1 end, nothing)
  return entries
end

-- The entries of an earlier attempt: from the one of this nonce on, as many as there are here. `false`
-- when the newest entry that the caller knows is another one, and what is found does not lie behind it.
local function earlier(after, nonce, known, proof, i, behind)
  local least = after + 1
  if known and not nonces[known] then least = math.min(least, known) end
  read_back(least)
  local found = numbers[nonce]
  if found and found <= after then found = nil end
  if known and nonces[known] and nonces[known] ~= proof and not (found and found >= known) then return false end
  if not found then return end
  local answer = { 'R' }
  for number = found, math.min(found + count(i, behind) - 1, seq) do
    answer[#answer + 1] = rows_of[number][1]
    answer[#answer + 1] = numbered(stored(rows_of[number]), segment_of_seq(number))
  end
  return answer
end

-- In a cluster: while the slot is on its way to another server, some keys of the chat are there
-- already. A key that is nowhere then is refused here, before anything is written.
@SETTLED@

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- The same for a nonce that stands for an idempotency key: the chat remembers its moment.
local function remembered(nonce, i, behind)
  local at = redis.call('ZSCORE', base .. 'k', nonce)
  if not at or tonumber(at) < (time[1] - KEPT) * 1000000 then return end
  local answer, left = { 'R' }, count(i, behind)
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

local told, touched = {}, {}
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
    if row[1] == id then
      value = string.sub(value, 1, KIND - 1) .. rest
      local number = numbers[string.sub(value, NONCE, NONCE + 7)]
      if number then rows_of[number] = { id, { row[2][1], value } } end
    end
    redis.call('XADD', key, row[1], row[2][1], value)
  end
  fit(n)
end

local make = {
  c = function() set.i, set.c, there = ARGV[1], moment, true end,
  u = function() set.u = moment end,
  d = function() set.d = moment end,
  r = function() set.r, rules = stamp, stamp end,
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

local function append(tail, at)
  seq = seq + 1
  last = at or math.max(now, last + 1)
  stamp, moment, touched = struct.pack('>I5', seq), pack(last), {}
  entry = '@VERSION@' .. stamp .. tail
  local n, id, value = segment_of_seq(seq), id_of(last), string.char((seq - 1) % SEGMENT) .. tail
  redis.call('XADD', segment_key(n), id, '@VERSION@', value)
  if seq == 1 then
    fit(0)
  elseif (seq - 1) % SEGMENT == 0 then
    redis.call('APPEND', base .. 'x', moment)
    fit(n - 1)
  end
  know(seq, { id, { '@VERSION@', value } })
end

-- The answer to the commit that stands from here on, and the place behind it.
local function commit(i)
  local absent, expected = string.byte(ARGV[i]) == 65, string.sub(ARGV[i], 2)
  local after, known, proof = ARGV[i + 1], nil, nil
  if ARGV[i + 2] ~= '' then known, proof = struct.unpack('>I5', ARGV[i + 2]), string.sub(ARGV[i + 2], 6, 13) end
  local behind = i + 4 + ARGV[i + 3]
  i = i + 4
  if taken then return { absent and 'K' or 'C' }, behind end

  local nonce = string.sub(ARGV[i], 1, 8)
  local keyed = string.byte(nonce) >= 128
  if there and (keyed or known or after ~= '') then
    after = tonumber(after) or seq
    local made = keyed and remembered(nonce, i, behind)
    if not made then
      -- A history that does not reach so far, or has something else there, is not what the caller saw.
      if seq < math.max(after, known or 0) then return { 'C' }, behind end
      made = earlier(after, nonce, known, proof, i, behind)
      if made == false then return { 'C' }, behind end
    end
    if made then
      -- Written again, so that an answer that assures this assures what was made.
      changed.h = changed.h or meta[2]
      return made, behind
    end
  end

  if absent == there or not absent and rules ~= expected then return { 'C' }, behind end
  local conflict = false
  walk(i, behind, nothing, function(letter, at)
    -- A parent that a failover took away: the decision saw another history.
    if letter == 't' and not message_at(struct.unpack('>I8', ARGV[at])) then conflict = true end
    if letter ~= 'o' then return end
    local stored = redis.call('HGET', base .. 'o', ARGV[at]) or ''
    if stored ~= ARGV[at + 1] or not message_at(struct.unpack('>I8', ARGV[at])) then conflict = true end
  end)
  if conflict then return { 'C' }, behind end

  -- Nothing below refuses any more.
  set = {}
  local answer, before, open = { '=' }, previous, false
  walk(i, behind, function(tail)
    if open then tell() end
    append(tail, absent and not open and tonumber(expected) or nil)
    answer[#answer + 1] = open and moment or stamp .. moment
    previous, open = string.sub(tail, 1, 8), true
  end, function(letter, at) make[letter](at) end)
  tell()
  set.h = stamp .. moment .. previous
  if keyed then
    local first = struct.unpack('>I8', string.sub(answer[2], 6))
    redis.call('ZADD', base .. 'k', string.format('%d', first), nonce)
    redis.call('ZREMRANGEBYSCORE', base .. 'k', '-inf', string.format('%d', now - KEPT * 1000000))
    redis.call('EXPIRE', base .. 'k', KEPT)
  end
  for field, value in pairs(set) do changed[field] = value end
  answer[#answer + 1] = before
  return answer, behind
end

local before = previous == '' and string.rep('\0', 8) or previous
local answers, at, failure = {}, 2, nil
while at <= #ARGV and not failure do
  local tellable = #told
  local fine, answer, behind = pcall(commit, at)
  if fine then
    answers[#answers + 1], at = answer, behind
  else
    -- What is stored cannot be read. Those before stand, and are found by their nonces.
    failure = type(answer) == 'table' and answer or { err = 'CORRUPT ' .. tostring(answer) }
    for i = #told, tellable + 1, -1 do told[i] = nil end
  end
end

local fields = {}
for field, value in pairs(changed) do
  fields[#fields + 1] = field
  fields[#fields + 1] = value
end
if #fields > 0 then redis.call('HSET', KEYS[1], unpack(fields)) end
if #told > 0 then redis.call('@PUBLISH@', base .. 'e', '@VERSION@' .. before .. table.concat(told)) end
return failure or answers
