-- Learns the epoch of this server; makes one if there is none, or if what it knows is of an earlier time.
--
-- KEYS[1]  the epoch: a hash {id, run, serial, fresh, closed}
-- ARGV[1]  the epoch that the caller knows, or nothing   ARGV[2] the run of the server   ARGV[3] a new epoch
-- ARGV[4]  for how long to grant nothing after a loss    ARGV[5] and after a restart
-- ARGV[6]  the last serial that the caller was told
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id, run, serial, fresh, closed = unpack(redis.call('HMGET', KEYS[1], 'id', 'run', 'serial', 'fresh', 'closed'))
local known = ARGV[1]
-- It went back to an earlier state, if it has counted less than somebody knows.
local went_back = id == known and tonumber(serial or 0) < tonumber(ARGV[6])
if not id or went_back then
  id, fresh = ARGV[3], known == '' and 1 or 0
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'id', id, 'run', ARGV[2], 'fresh', fresh, 'closed', fresh == 1 and 0 or now + ARGV[4])
elseif known ~= '' and known ~= id and fresh == '1' then
  -- Begun by one who knew of nothing; this one knows better.
  redis.call('HSET', KEYS[1], 'fresh', 0, 'closed', now + ARGV[4])
elseif run ~= ARGV[2] then
  redis.call('HSET', KEYS[1], 'run', ARGV[2], 'closed', math.max(tonumber(closed or 0), now + ARGV[5]))
end
return id
