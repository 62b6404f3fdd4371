-- RFC 2544 with Pktgen-DPDK: throughput, latency, frame loss and back-to-back frames, section 26.
--
--   pktgen ... -- -P -m "1.0, 2.1" -f bench/pktgen/rfc2544.lua
--
-- Environment: TRAFFIC, a Lua file that sets the traffic up (default: clusterip.lua beside this one);
-- SECONDS of a trial (60, as section 24 wants it); SIZES, frame sizes with the FCS (section 9.1).
-- Rates are percent of the link that the driver reports: on memif and virtio that is a number, not
-- a cable.

local HERE = debug.getinfo(1, "S").source:match("^@(.*/)") or "bench/pktgen/"
local SENDER, RECEIVER = 0, 1
local SECONDS = tonumber(os.getenv("SECONDS") or "60")
local SIZES = os.getenv("SIZES") or "64 128 256 512 1024 1280 1518"
local SETTLE_MS = 2000    -- section 23: wait for the last frames
-- Pktgen builds its frames anew at each start and then sends what it could not meanwhile, at full
-- speed whatever the rate: up to a few thousand frames, which a sink's ring does not hold. So a
-- trial starts at the lowest rate, at which nothing is owed, and rises once the frames are built.
local START_RATE = 0.01   -- percent; 64 frames in 43 ms on 10 Gbit/s
local START_MS = 400
local START_FRAMES = 640  -- about what leaves in that time
local RESOLUTION = 0.5    -- percent of the link
local LOSS_STEP = 10      -- section 26.3: steps of at most 10%
local BURST_SECONDS = 2   -- section 26.4: at least

local function say(...)
    print(string.format(...))
end

local function counters()
    local sent = pktgen.portStats(tostring(SENDER), "port")[SENDER]
    local got = pktgen.portStats(tostring(RECEIVER), "port")[RECEIVER]
    return sent.opackets, got.ipackets
end

-- Sends at `rate` percent for a trial, or `count` frames. Returns sent, received and lost share.
local function trial(rate, count, milliseconds)
    pktgen.set(tostring(SENDER), "rate", START_RATE)
    pktgen.set(tostring(SENDER), "count", count > 0 and count + START_FRAMES or 0)
    local sent_before, got_before = counters()
    pktgen.start(tostring(SENDER))
    pktgen.delay(START_MS)
    pktgen.set(tostring(SENDER), "rate", rate)
    pktgen.delay(milliseconds)
    pktgen.stop(tostring(SENDER))
    pktgen.delay(SETTLE_MS)
    local sent_after, got_after = counters()
    local sent, got = sent_after - sent_before, got_after - got_before
    return sent, got, sent > 0 and (sent - got) / sent or 1
end

-- Section 26.1: the highest rate without a lost frame, by halving.
local function throughput()
    local low, high, best = 0, 100, 0
    local rate = high
    while high - low > RESOLUTION do
        local sent, got, loss = trial(rate, 0, SECONDS * 1000)
        say("  throughput: %5.1f %%: %d sent, %d received, %.4f %% lost", rate, sent, got,
            100 * loss)
        if loss <= 0 then
            low, best = rate, sent / SECONDS
            if rate == 100 then break end
        else
            high = rate
        end
        rate = (low + high) / 2
    end
    return low, best
end

-- Section 26.2: at the throughput rate, by probes among the frames.
local function latency(rate)
    pktgen.latency(tostring(SENDER), "enable")
    pktgen.latency(tostring(RECEIVER), "enable")
    trial(rate, 0, SECONDS * 1000)
    local seen = pktgen.pktStats(tostring(RECEIVER))[RECEIVER].latency
    pktgen.latency(tostring(SENDER), "disable")
    pktgen.latency(tostring(RECEIVER), "disable")
    return seen
end

-- Section 26.3: from 100% down, until two rates in a row lose nothing.
local function frame_loss()
    local clean = 0
    for rate = 100, LOSS_STEP, -LOSS_STEP do
        local sent, got, loss = trial(rate, 0, SECONDS * 1000)
        say("  frame loss: %5.1f %%: %.4f %% of %d", rate, 100 * loss, sent)
        clean = loss <= 0 and clean + 1 or 0
        if clean == 2 then break end
    end
end

-- Section 26.4: the longest burst at full rate that arrives whole.
local function back_to_back(frames_a_second)
    local low, high = 0, math.max(64, math.floor(frames_a_second * BURST_SECONDS))
    local count = high
    while high - low > math.max(64, high // 100) do
        local sent, got = trial(100, count, BURST_SECONDS * 1500)
        if got >= sent and sent > 0 then
            low = count
            if count == high then break end
        else
            high = count
        end
        count = (low + high) // 2
    end
    return low
end

dofile(os.getenv("TRAFFIC") or HERE .. "clusterip.lua")
pktgen.screen("off")
for size in SIZES:gmatch("%d+") do
    say("frames of %d bytes, trials of %d s", size, SECONDS)
    for _, what in ipairs({"start", "min", "max"}) do
        pktgen.range.pkt_size(tostring(SENDER), what, tonumber(size))
    end
    pktgen.set(tostring(SENDER), "size", tonumber(size))
    -- Every connection is open before anything counts.
    trial(10, 0, 2000)
    local rate, frames_a_second = throughput()
    say("  throughput: %.1f %% of the link, %.0f frames a second", rate, frames_a_second)
    if rate > 0 then
        local seen = latency(rate)
        -- Pktgen 23.03 computes the average for its screen alone.
        local average = seen.avg_us > 0 and string.format(" %.1f on average,", seen.avg_us) or ""
        say("  latency: %.1f us at least,%s %.1f at most, %d probes", seen.min_us, average,
            seen.max_us, seen.num_pkts)
    end
    frame_loss()
    say("  back to back: %d frames", back_to_back(frames_a_second))
end
pktgen.quit()
