-- What all scripts of a chat's log share; put in front of each of them.
-- KEYS[1] is the chat's key `m`; the others are spelled from it and share its slot.
--
-- An entry of a stream has one field. The field's name, which a stream keeps once for many entries,
-- is the version; the value is place(1) and what follows the number in codec.rs: the number is that
-- of the segment times SEGMENT, and the place in there, and one. See stored.rs.

local base = string.sub(KEYS[1], 1, -2)
local SEGMENT, NONCE, KIND = @SEGMENT@, @NONCE@, @KIND@

-- A moment as the id of an entry. Never by tostring, which would round it.
local function id_of(at)
  return string.format('%d-%d', math.floor(at / 1000), at % 1000)
end

local function moment_of(id)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  return ms * 1000 + n
end

local function pack(at)
  return struct.pack('>I8', at)
end

local function segment_key(n)
  return base .. 'l:' .. string.format('%d', n)
end

-- The segment that holds entry number seq.
local function segment_of_seq(seq)
  return math.floor((seq - 1) / SEGMENT)
end

-- The segment that would hold this moment: how many later segments begin at it or before.
local function segment_of(at)
  local low, high = 0, redis.call('STRLEN', base .. 'x') / 8
  while low < high do
    local middle = math.floor((low + high) / 2)
    local first = redis.call('GETRANGE', base .. 'x', 8 * middle, 8 * middle + 7)
    if struct.unpack('>I8', first) <= at then low = middle + 1 else high = middle end
  end
  return low
end

local function is_message(row)
  return string.byte(row[2][2], KIND) == @MESSAGE@
end

-- Version and value.
local function stored(row)
  return row[2][1] .. row[2][2]
end

-- What is stored in segment n with its number, as codec.rs has it.
local function numbered(entry, n)
  local seq = n * SEGMENT + string.byte(entry, 2) + 1
  return string.sub(entry, 1, 1) .. struct.pack('>I5', seq) .. string.sub(entry, 3)
end

-- The message that was created at this moment, as it is stored, and its segment; or nil.
local function message_at(at)
  local id, n = id_of(at), segment_of(at)
  local row = redis.call('XRANGE', segment_key(n), id, id)[1]
  if row and is_message(row) then return stored(row), n end
end

local function replies_to(moment)
  return redis.call('ZLEXCOUNT', base .. 't',
    '[' .. moment .. '\0\0\0\0\0\0\0\0', '[' .. moment .. '\255\255\255\255\255\255\255\255')
end

-- Rows {id, entry, segment} as a flat list of id, segment, entry as it is stored, overlay, number
-- of replies; appended to `out`.
local function dress(rows, out)
  local overlaid = redis.call('EXISTS', base .. 'o') == 1
  local threaded = redis.call('EXISTS', base .. 't') == 1
  local moments, overlays = {}, {}
  if overlaid or threaded then
    for i, row in ipairs(rows) do moments[i] = pack(moment_of(row[1])) end
  end
  if overlaid and #rows > 0 then overlays = redis.call('HMGET', base .. 'o', unpack(moments)) end
  for i, row in ipairs(rows) do
    local n = #out
    out[n + 1], out[n + 2], out[n + 3] = row[1], row[3], row[2]
    out[n + 4] = overlays[i] or ''
    out[n + 5] = threaded and replies_to(moments[i]) or 0
  end
  return out
end
