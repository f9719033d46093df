"""What the Redis server does in one step: answers kept within bytes, whoever writes.

Decides that the limits hold over all routers that share the server: each answer counts
for all tenants together and for its own, and the least recently used go first. The
index lies beside the answers under names with one hash tag, so that all of it is on one
server; a cluster is not used for more.

Beside the answers (`PREFIX:answer:DIGEST`) lie `order` (members by last use),
`order:TENANT` (one tenant's), `ends` (members by when they expire), `sizes` (bytes by
member) and `used` (bytes by tenant, and `all`). A member is TENANT:DIGEST.
"""

from typing import Final

SWEPT_MAX: Final = 64
"""Expired entries that one write takes out of the index: its time is bounded."""

FIND: Final = """
local answer = redis.call('GET', KEYS[1] .. ':answer:' .. ARGV[2])
if answer then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local member = ARGV[1] .. ':' .. ARGV[2]
  redis.call('ZADD', KEYS[1] .. ':order', 'XX', now, member)
  redis.call('ZADD', KEYS[1] .. ':order:' .. ARGV[1], 'XX', now, member)
end
return answer
"""

_DROP: Final = """
local prefix, tenant, digest = KEYS[1], ARGV[1], ARGV[2]
local order, ends, sizes, used =
  prefix .. ':order', prefix .. ':ends', prefix .. ':sizes', prefix .. ':used'

local function count(whom, bytes)
  if redis.call('HINCRBY', used, whom, bytes) <= 0 then
    redis.call('HDEL', used, whom)
  end
end

local function drop(member)
  local size = redis.call('HGET', sizes, member)
  if not size then return end
  local whom, which = string.match(member, '^(%x+):(%x+)$')
  redis.call('DEL', prefix .. ':answer:' .. which)
  redis.call('ZREM', order, member)
  redis.call('ZREM', order .. ':' .. whom, member)
  redis.call('ZREM', ends, member)
  redis.call('HDEL', sizes, member)
  count(whom, -size)
  count('all', -size)
end
"""

FORGET: Final = (
    _DROP
    + """
drop(tenant .. ':' .. digest)
return tonumber(redis.call('HGET', used, 'all') or '0')
"""
)

KEEP: Final = (
    _DROP
    + f"""
local size, lifetime_ms = tonumber(ARGV[3]), tonumber(ARGV[4])
local bytes_max, tenant_bytes_max = tonumber(ARGV[5]), tonumber(ARGV[6])
local index_ms, answer = tonumber(ARGV[7]), ARGV[8]
local member = tenant .. ':' .. digest
local own = order .. ':' .. tenant
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

for _, gone in ipairs(redis.call(
    'ZRANGE', ends, '-inf', now, 'BYSCORE', 'LIMIT', 0, {SWEPT_MAX})) do
  drop(gone)
end
drop(member)

local function make_room(line, whom, room)
  while tonumber(redis.call('HGET', used, whom) or '0') > room do
    local oldest = redis.call('ZRANGE', line, 0, 0)[1]
    if not oldest then return end
    drop(oldest)
  end
end
make_room(own, tenant, tenant_bytes_max - size)
make_room(order, 'all', bytes_max - size)

redis.call('SET', prefix .. ':answer:' .. digest, answer, 'PX', lifetime_ms)
redis.call('ZADD', order, now, member)
redis.call('ZADD', own, now, member)
redis.call('ZADD', ends, now + lifetime_ms, member)
redis.call('HSET', sizes, member, size)
count(tenant, size)
count('all', size)
for _, index in ipairs({{order, own, ends, sizes, used}}) do
  if redis.call('PTTL', index) < index_ms then
    redis.call('PEXPIRE', index, index_ms)
  end
end
return tonumber(redis.call('HGET', used, 'all'))
"""
)
