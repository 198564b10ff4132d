-- SPDX-License-Identifier: MIT
-- Counts one event of one key for all its jails: policyd/window.h, to the integer.
--
-- KEYS[1]  the counter
-- ARGV[1]  now in ms; 0: this server's time
-- ARGV[2]  how long ago the event was, ms
-- ARGV[3]  what began before so many ms ago is void; -1: nothing is
-- ARGV[4]  the channel that is told of what is reached
-- ARGV[5…] one a jail, packed: see policyd/store_redis_text.c
--
-- The counter is a string of records, one a jail: identity (4 bytes), start (6), current (1),
-- previous (1). Where these have no room, or there are hashes, current is 255 and previous the
-- number of hashes; current (4), previous (4), how many of the hashes belong to previous (1) and
-- the hashes (4 each) follow.

local COUNT_MAX = 1048576
local EXACT_MAX = 9007199254740992
local WIDE = 255

local key = KEYS[1]
local now = tonumber(ARGV[1])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local age = tonumber(ARGV[2])
local at = now - age
local lifted = tonumber(ARGV[3])

-- ceil(count * left / whole), where the product may have more bits than a double.
local function share(count, left, whole)
    local high = 0
    if count * left >= EXACT_MAX then
        high = math.floor(count / 1024)
    end
    local product = high * left
    local rest = math.fmod(product, whole)
    local result = (product - rest) / whole * 1024
    product = rest * 1024 + (count - high * 1024) * left
    rest = math.fmod(product, whole)
    result = result + (product - rest) / whole
    return rest > 0 and result + 1 or result
end

local function elapsed(record, time)
    return time > record.start and time - record.start or 0
end

local function is_void(record, findtime, time)
    if record.current == 0 and record.previous == 0 then
        return true
    end
    local passed = elapsed(record, time)
    return passed >= 2 * findtime or (passed >= findtime and record.current == 0)
end

local function count_of(record, findtime, time)
    if is_void(record, findtime, time) then
        return 0
    end
    local passed, current, previous = elapsed(record, time), record.current, record.previous
    if passed >= findtime then
        previous, current, passed = current, 0, passed - findtime
    end
    if previous == 0 then
        return current
    end
    return current + share(previous, findtime - passed, findtime)
end

local function advance(record, findtime)
    if is_void(record, findtime, now) then
        record.start, record.current, record.previous = at, 0, 0
        record.hashes, record.old = '', 0
    elseif elapsed(record, at) >= findtime then
        record.start = record.start + findtime
        record.previous, record.current = record.current, 0
        record.hashes = string.sub(record.hashes, 4 * record.old + 1)
        record.old = #record.hashes / 4
    end
end

local function has_hash(record, hash)
    for i = 1, #record.hashes, 4 do
        if string.sub(record.hashes, i, i + 3) == hash then
            return true
        end
    end
    return false
end

local function remember(record, hash, max)
    local over = #record.hashes / 4 - max + 1
    if over > 0 then
        record.hashes = string.sub(record.hashes, 4 * over + 1)
        record.old = math.max(record.old - over, 0)
    end
    record.hashes = record.hashes .. hash
end

-- What was there.
local records, order = {}, {}

local function take(id, record)
    if lifted >= 0 and record.start < now - lifted then
        record.current, record.previous = 0, 0
    end
    records[id] = record
    order[#order + 1] = id
end

-- Whether all of it is ours: somebody else's, or what was spoilt, is as good as nothing.
local function read(text)
    local position = 1
    while position + 11 <= #text do
        local id, start, current, previous, next = struct.unpack('>c4I6BB', text, position)
        local record = {start = start, current = current, previous = previous, hashes = '', old = 0}
        if current == WIDE then
            if next + 8 > #text then
                return false
            end
            record.current, record.previous, record.old, next =
                struct.unpack('>I4I4B', text, next)
            record.hashes = string.sub(text, next, next + 4 * previous - 1)
            next = next + 4 * previous
            if math.max(record.current, record.previous) > COUNT_MAX or record.old > previous then
                return false
            end
        end
        take(id, record)
        position = next
    end
    return position == #text + 1
end

local function write(id, record)
    if record.current < WIDE and record.previous <= WIDE and record.hashes == '' then
        return struct.pack('>c4I6BB', id, record.start, record.current, record.previous)
    end
    return struct.pack('>c4I6BBI4I4B', id, record.start, WIDE, #record.hashes / 4,
        record.current, record.previous, record.old) .. record.hashes
end

local old = redis.call('GET', key)
if old and not read(old) then
    records, order = {}, {}
end

-- What each jail makes of it.
local IGNORED, COUNTED, REACHED = 0, 1, 2
local FORGETS, BEGINS, TELLS = 1, 2, 4
local answers = {}
local changed, keep = false, 0
for i = 5, #ARGV do
    local id, findtime, limit, weight, flags, max = struct.unpack('>c4I6I4I2BB', ARGV[i])
    local hash = string.sub(ARGV[i], 19)
    local record = records[id]
    local decision, count = IGNORED, nil
    if not record then
        record = {start = at, current = 0, previous = 0, hashes = '', old = 0}
        if weight > 0 then
            records[id] = record
            order[#order + 1] = id
        end
    elseif record.start > now then
        -- The clock was set back; how long ago nobody knows, nor what counts still.
        if record.start - now > findtime then
            record.current, record.previous = 0, 0
        end
        record.start = now
    end
    if weight > 0 and age < findtime then
        if math.floor(flags / BEGINS) % 2 == 1 then
            record.start, record.current, record.previous = at, 1, 0
            decision = COUNTED
        else
            advance(record, findtime)
            if max == 0 or not has_hash(record, hash) then
                if max > 0 then
                    remember(record, hash, max)
                end
                record.current = math.min(record.current + weight, COUNT_MAX)
                decision = COUNTED
            end
        end
        changed = true
        if decision == COUNTED then
            count = count_of(record, findtime, at)
            decision = count < limit and COUNTED or REACHED
        end
    end
    if not count or age > 0 then
        count = count_of(record, findtime, now)
    end
    answers[#answers + 1] = struct.pack('>BI4I6I4I4', decision, count, elapsed(record, now),
        record.current, record.previous)
    if decision == REACHED then
        if flags % 2 == FORGETS then
            record.current, record.previous = 0, 0
        elseif flags >= TELLS and count >= limit then
            redis.call('PUBLISH', ARGV[4], 'c' .. struct.pack('>c4I6I4I4', id, elapsed(record, now),
                record.current, record.previous) .. key)
        end
    end
    record.findtime = findtime
    keep = math.max(keep, 2 * findtime)
end

-- What is left of it.
if changed then
    local parts = {}
    for i = 1, #order do
        local record = records[order[i]]
        if not record.findtime then
            keep = math.max(keep, redis.call('PTTL', key))
        end
        if record.current + record.previous > 0
            and not (record.findtime and is_void(record, record.findtime, now)) then
            parts[#parts + 1] = write(order[i], record)
        end
    end
    if #parts > 0 then
        redis.call('SET', key, table.concat(parts), 'PX', math.floor(keep))
    elseif old then
        redis.call('DEL', key)
    end
end
return table.concat(answers)
