-- Returns the epoch of this store. Makes one if there is none, or if the store has gone back to an earlier state.
--
-- KEYS[1]  the epoch: a hash {id, run, serial, fresh, closed}
-- ARGV[1]  the epoch known to the caller, or nothing     ARGV[2] the run id of the store   ARGV[3] a new epoch
-- ARGV[4]  for how long to grant nothing after a loss    ARGV[5] and after a restart
-- ARGV[6]  the last serial known to the caller
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id, run, serial, fresh, closed = unpack(redis.call('HMGET', KEYS[1], 'id', 'run', 'serial', 'fresh', 'closed'))
local known = ARGV[1]
-- A serial below a known one proves an earlier state.
local went_back = id == known and tonumber(serial or 0) < tonumber(ARGV[6])
if not id or went_back then
  id, fresh = ARGV[3], known == '' and 1 or 0
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'id', id, 'run', ARGV[2], 'fresh', fresh, 'closed', fresh == 1 and 0 or now + ARGV[4])
elseif known ~= '' and known ~= id and fresh == '1' then
  -- The epoch was begun by a server without memory. This caller knows an earlier one.
  redis.call('HSET', KEYS[1], 'fresh', 0, 'closed', now + ARGV[4])
elseif run ~= ARGV[2] then
  redis.call('HSET', KEYS[1], 'run', ARGV[2], 'closed', math.max(tonumber(closed or 0), now + ARGV[5]))
end
return id
