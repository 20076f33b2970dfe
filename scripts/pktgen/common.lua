-- What the scripts of this folder share. Settings come from the environment; README.md lists them.
-- Written against Pktgen-DPDK 26.02.4; every function called is registered in its app/lpktgenlib.c.

local common = {}

local function number(name, default)
  local text = os.getenv(name)
  if text == nil or text == "" then return default end
  return tonumber(text) or error(name .. "=" .. text .. ": give a number", 0)
end

common.port = os.getenv("PORT") or "0"
common.rate = number("RATE", 100)            -- percent of what the link carries
common.seconds = number("SECONDS", 10)
common.flow_bits = number("FLOW_BITS", 16)   -- 2^this many flows

local timer_ms = 2000                        -- Pktgen reads the port's counters once a second

-- Begins from Pktgen's defaults: one stream of UDP packets of `size` bytes, frame check sequence included.
function common.prepare(size)
  pktgen.screen("off")
  pktgen.stop(common.port)
  pktgen.reset(common.port)
  if os.getenv("DST_MAC") then pktgen.set_mac(common.port, "dst", os.getenv("DST_MAC")) end
  pktgen.set_ipaddr(common.port, "src", "10.0.0.1/8")
  pktgen.set_ipaddr(common.port, "dst", "198.18.0.1")
  pktgen.set_proto(common.port, "udp")
  pktgen.set(common.port, "sport", 1024)
  pktgen.set(common.port, "dport", 443)
  pktgen.set(common.port, "size", size)
  pktgen.set(common.port, "count", 0)
  pktgen.set(common.port, "rate", common.rate)
end

-- From now on each packet belongs to one of 2^bits flows at random: the low bits of its source address, and when
-- 24 of them are not enough, of its source port. Range mode cannot do that: it builds as many packets as there are
-- packet buffers and then repeats them. Offsets are those of untagged Ethernet.
function common.random_flows(bits)
  if bits < 0 or bits > 40 or bits % 1 ~= 0 then
    error("FLOW_BITS=" .. bits .. ": give a whole number from 0 to 40", 0)
  end
  local of_address, of_port = math.min(bits, 24), math.max(bits - 24, 0)
  if of_address > 0 then
    pktgen.rnd(common.port, 0, 26, string.rep(".", 32 - of_address) .. string.rep("X", of_address))
  end
  if of_port > 0 then
    pktgen.rnd(common.port, 1, 34, string.rep(".", 16 - of_port) .. string.rep("X", of_port))
  end
end

-- Packets handed to the NIC since pktgen.clear.
local function packets_sent()
  local ok, stats = pcall(pktgen.portStats, common.port)
  if not ok then stats = pktgen.portStats(common.port, "port") end  -- before 26.02
  local of_port = stats[tonumber(common.port)]
  return (of_port.curr or of_port).opackets
end

-- Sends for so many seconds, at so many percent of the link; what was sent is told, and returned.
function common.send(percent, seconds)
  pktgen.set(common.port, "rate", percent)
  pktgen.delay(timer_ms)
  pktgen.clear(common.port)
  pktgen.start(common.port)
  pktgen.delay(math.floor(seconds * 1000))
  pktgen.stop(common.port)
  pktgen.delay(timer_ms)
  local sent = packets_sent()
  print(string.format("sent %d packets in %g s at %g %% of the link, %.0f a second", sent, seconds, percent,
    sent / seconds))
  return sent
end

-- Leaves Pktgen, unless QUIT=no wants its prompt.
function common.finish()
  if os.getenv("QUIT") ~= "no" then pktgen.quit() end
end

return common
