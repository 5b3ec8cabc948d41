-- Lends units of one quota to one holder: all or as many as there are, by the clock of this server.
--
-- KEYS[1]  the quota: a hash with a row for each holder, with the counts and the loan of the holder
-- KEYS[2]  the epoch: a hash {id, closed, fresh, serial}; a missing one means lost memory
-- ARGV[1]  the holder   ARGV[2] the epoch known to the holder   ARGV[3] a new epoch, if needed   ARGV[4] the ask
--
-- A row is written as a whole each time, so a repeated call or a lost answer does no harm:
--   e, n        the epoch of the row; the number of the holder's ask
--   x           the end of the loan; the rest of the loan counts as used then
--   de          the end of the period (a day, or another one) that u counts in; 0 where the period is rolling
--   c           requests at the same time
--   r, t        of requests, and of tokens or nano-dollars:
--     o         units held or under way: all count as used now
--     u, k      units used in the period, and the part to count in the next period again
--     l, d      units used in the last minute, and in a rolling period: {time, count} …
local function wall()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local now = wall()
local me, ask = ARGV[1], cjson.decode(ARGV[4])
local limits, day = ask.limits, ask.day
-- The length of a rolling period; of the calendar's, the longest one.
local MINUTE, PERIOD = ask.minute, ask.period

local epoch = redis.call('HGET', KEYS[2], 'id')
if not epoch then
  epoch = ARGV[3]
  redis.call('HSET', KEYS[2], 'id', epoch, 'closed', now + ask.learn)
end
if epoch ~= ARGV[2] then
  -- The epoch was begun by a server without memory. This holder knows an earlier one.
  if redis.call('HGET', KEYS[2], 'fresh') == '1' then
    redis.call('HSET', KEYS[2], 'fresh', 0, 'closed', now + ask.learn)
  end
  return cjson.encode({now = now, epoch = epoch})
end
if day and (now < day[1] or now >= day[2]) then
  return cjson.encode({now = now, day = true})
end

local function window(ms, limit)
  return {ms = ms, limit = limit, sum = 0, entries = {}}
end
local windows = {
  r = {minute = window(MINUTE, limits.rpm), day = window(PERIOD, limits.rpd), burst = window(limits.burst_ms or 0, limits.burst)},
  t = {minute = window(MINUTE, limits.tpm), day = window(PERIOD, limits.tpd)},
}
local slots = 0

local function add(w, at, count)
  if w and at + w.ms > now then
    w.sum = w.sum + count
    w.entries[#w.entries + 1] = {at, count}
  end
end

-- Adds a row to the windows. Returns whether the row still matters.
local function count(row)
  local carries = row.r.k + row.t.k > 0
  local alive = row.x + MINUTE > now or row.de > now or carries and row.de + PERIOD > now
  for kind, part in pairs({r = row.r, t = row.t}) do
    local w = windows[kind]
    for _, entry in ipairs(part.l) do
      add(w.minute, entry[1], entry[2])
      add(w.burst, entry[1], entry[2])
    end
    for _, entry in ipairs(part.d) do
      alive = alive or entry[1] + PERIOD > now
      if not day then
        add(w.day, entry[1], entry[2])
      elseif entry[1] >= day[1] then
        w.day.sum = w.day.sum + entry[2]
      end
    end
    if row.de > now then
      w.day.sum = w.day.sum + part.u
    elseif day and row.de == day[1] then
      w.day.sum = w.day.sum + part.k
    end
    if row.x > now then
      for _, one in pairs(w) do one.sum = one.sum + part.o end
    else
      add(w.minute, row.x, part.o)
      add(w.burst, row.x, part.o)
      if not day then
        add(w.day, row.x, part.o)
      elseif row.x >= day[1] then
        w.day.sum = w.day.sum + part.o
      end
    end
  end
  if row.x > now then slots = slots + row.c end
  return alive
end

-- Rows of departed holders are merged into one for each period, once no minute holds any of their units. '~' holds the known totals
-- of lost rows.
local rows = redis.call('HGETALL', KEYS[1])
local together = '+' .. ask.row.de
local mine, known, gone
local leaving = {}
for i = 1, #rows, 2 do
  local holder, row = rows[i], cjson.decode(rows[i + 1])
  if row.e ~= epoch then
    redis.call('HDEL', KEYS[1], holder)
  elseif holder == me then
    mine = row
  else
    if holder == '~' then known = row end
    if holder == together then gone = row end
    if not (holder == '~' and ask.known) and not count(row) then
      redis.call('HDEL', KEYS[1], holder)
    elseif row.x > 0 and row.x + MINUTE < now and row.de == ask.row.de then
      leaving[holder] = row
    end
  end
end
if mine and mine.n >= ask.row.n then
  -- A delayed ask: a later one has come before.
  return cjson.encode({now = now, epoch = epoch})
end
if ask.has and not mine then
  local put_together = gone and gone.holders[me] or false
  return cjson.encode({now = now, epoch = epoch, missing = put_together and 'put together' or 'lost'})
end
if next(leaving) then
  local function none() return {o = 0, u = 0, k = 0, l = {}, d = {}} end
  gone = gone or {e = epoch, n = 0, x = 0, de = ask.row.de, c = 0, r = none(), t = none(), holders = {}}
  -- Entries older than the period do not matter any more. Many departed holders have many entries: those of one six-hundredth of the
  -- period become one, with a later time.
  local grain = math.max(1000, math.floor(PERIOD / 600))
  local function recent(log)
    local sums, kept = {}, {}
    for _, entry in ipairs(log) do
      if entry[1] + PERIOD > now then
        local at = #log > 600 and math.ceil(entry[1] / grain) * grain or entry[1]
        if not sums[at] then
          sums[at] = {at, 0}
          kept[#kept + 1] = sums[at]
        end
        sums[at][2] = sums[at][2] + entry[2]
      end
    end
    return kept
  end
  -- A holder that comes back after a day tells its units again: these count twice, rather than not at all.
  local known_for = math.min(PERIOD, ask.known_for)
  for holder, since in pairs(gone.holders) do
    if since + known_for < now then gone.holders[holder] = nil end
  end
  for holder, row in pairs(leaving) do
    for _, kind in ipairs({'r', 't'}) do
      local into, from = gone[kind], row[kind]
      into.u, into.k = into.u + from.u, into.k + from.k
      for _, entry in ipairs(from.d) do into.d[#into.d + 1] = entry end
      if day then
        into.u = into.u + from.o
      elseif from.o > 0 then
        into.d[#into.d + 1] = {row.x, from.o}
      end
    end
    gone.holders[holder] = now
    redis.call('HDEL', KEYS[1], holder)
  end
  gone.r.d, gone.t.d = recent(gone.r.d), recent(gone.t.d)
  redis.call('HSET', KEYS[1], together, cjson.encode(gone))
end

-- The known totals of lost rows: the largest remembered ones. Nobody remembers the minute: it counts as full, unless the whole store
-- waits for a minute to pass.
if ask.known then
  local row = ask.known
  row.e, row.n = epoch, 0
  for name, kind in pairs({rpm = 'r', tpm = 't'}) do
    local part = row[kind]
    for _, entry in ipairs(part.d) do entry[1] = now - entry[1] end
    if ask.lost and limits[name] then part.l = {{now, limits[name]}} end
    if known and known.de == row.de then
      local function sum(log)
        local all = 0
        for _, entry in ipairs(log) do all = all + entry[2] end
        return all
      end
      part.u = math.max(part.u, known[kind].u)
      if sum(known[kind].d) > sum(part.d) then part.d = known[kind].d end
      if #part.l == 0 then part.l = known[kind].l end
    end
  end
  redis.call('HSET', KEYS[1], '~', cjson.encode(row))
  count(row)
end

local others = {
  r = {windows.r.minute.sum, windows.r.day.sum},
  t = {windows.t.minute.sum, windows.t.day.sum},
}

-- The holder's own row has ages in place of times, because clocks may differ.
local row = ask.row
row.e, row.x = epoch, now + ask.lease
for _, kind in ipairs({'r', 't'}) do
  for _, log in ipairs({row[kind].l, row[kind].d}) do
    for _, entry in ipairs(log) do entry[1] = now - entry[1] end
  end
end
count(row)

-- Returns when so many units have left a window.
local function frees(w, units, calendar)
  if calendar then return day[2] - now end
  table.sort(w.entries, function(a, b) return a[1] < b[1] end)
  for _, entry in ipairs(w.entries) do
    units = units - entry[2]
    if units <= 0 then return entry[1] + w.ms - now end
  end
  return 1000
end

local denied
local function deny(name, ms)
  if not denied or ms > denied[2] then denied = {name, ms} end
end

-- A spread limit may be used in part at once, and evenly over the period, second by second: ask.pace has the first parts.
local pace = day and ask.pace
local length = day and math.max(1, math.floor((day[2] - day[1]) / 1000))

-- Returns how much of a spread limit may be used by now. Both products are whole numbers of a size that is exact here.
local function usable(limit, at_once)
  local passed = math.floor((now - day[1]) / 1000)
  local share = math.floor(limit / length) * passed + math.floor(limit % length * passed / length)
  return math.min(limit, at_once + share)
end

-- Returns how long until so many units of a spread limit may be used.
local function reaches(limit, at_once, units)
  local seconds = math.ceil(math.max(0, units - at_once) * length / math.max(1, limit))
  return math.max(1, day[1] + seconds * 1000 - now)
end

-- Returns how many of the wanted units fit into every window of a kind.
local function fits(kind, names)
  local most = ask.wanted[kind]
  for which, w in pairs(windows[kind]) do
    if w.limit then
      local room = w.limit - w.sum
      if room < ask.needed[kind] then
        deny(names[which], frees(w, ask.needed[kind] - room, which == 'day' and day))
      end
      if which == 'day' and pace then
        local by_now = math.min(room, usable(w.limit, pace[kind]) - w.sum)
        if by_now < ask.needed[kind] and room >= ask.needed[kind] then
          deny(names[which] .. '_paced', reaches(w.limit, pace[kind], w.sum + ask.needed[kind]))
        end
        room = by_now
      end
      most = math.min(most, math.max(0, room))
    end
  end
  return most
end

local granted = {
  r = fits('r', {minute = 'rpm', day = 'rpd', burst = 'burst'}),
  t = fits('t', {minute = 'tpm', day = 'tpd'}),
  c = ask.wanted.c,
}
if limits.slots then
  local room = limits.slots - slots
  if room < ask.needed.c then deny('concurrency', 1000) end
  granted.c = math.min(granted.c, math.max(0, room))
end

local closed = tonumber(redis.call('HGET', KEYS[2], 'closed')) or 0
if closed > now then deny('store', closed - now) end
if denied then granted = {r = 0, t = 0, c = 0} end

row.r.o = row.r.o + granted.r
row.t.o = row.t.o + granted.t
row.c = row.c + granted.c
redis.call('HSET', KEYS[1], me, cjson.encode(row))
redis.call('PEXPIRE', KEYS[1], 3 * math.max(PERIOD, ask.known_for))

local serial = redis.call('HINCRBY', KEYS[2], 'serial', 1)

return cjson.encode({now = now, epoch = epoch, serial = serial, granted = granted, slots = row.c, denied = denied, others = others})
