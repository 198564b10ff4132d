-- SPDX-License-Identifier: MIT
-- Sets or lifts one ban, unless a later word on it is known. To be run again does no harm.
--
-- KEYS[1]  the ban
-- ARGV[1]  now in ms; 0: this server's time
-- ARGV[2]  the channel that is told
-- ARGV[3]  version: of two words on one prefix the one with the higher is true
-- ARGV[4]  how long it still holds, or the word that it is lifted, ms
-- ARGV[5]  since how long it holds, ms
-- ARGV[6]  where it acts; 0: it is lifted
-- ARGV[7]  whom it bans
-- ARGV[8]  the jail
--
-- Returns now and what holds: "NOW VERSION UNTIL SINCE ACTS WHO JAIL".

local now = tonumber(ARGV[1])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local old = redis.call('GET', KEYS[1])
local version = old and tonumber(string.match(old, '^%d+')) or 0
if version >= tonumber(ARGV[3]) then
    return string.format('%.0f %s', now, old)
end

local value = string.format('%s %.0f %.0f %s %s %s', ARGV[3], now + ARGV[4], now - ARGV[5],
    ARGV[6], ARGV[7], ARGV[8])
redis.call('SET', KEYS[1], value, 'PX', ARGV[4])
local word = string.format('%.0f %s', now, value)
redis.call('PUBLISH', ARGV[2], 'b' .. word)
return word
