-- Simple IMIX, 7 : 4 : 1 of IPv4 packets of 40, 576 and 1500 bytes, of 2^FLOW_BITS flows at random.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "./") .. "common.lua")

local frame_sizes = { 64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 594, 64 }  -- frame check sequence included
local source_mac, destination_mac = "02:00:00:00:00:01", os.getenv("DST_MAC") or "02:00:00:00:00:02"

common.prepare(64)
common.random_flows(common.flow_bits)
for i, size in ipairs(frame_sizes) do
  pktgen.seq(i - 1, common.port, destination_mac, source_mac, "198.18.0.1", "10.0.0.1/8", 1024, 443, "ipv4", "udp",
    1, size)
end
pktgen.set(common.port, "seq_cnt", #frame_sizes)  -- after the random bits: those go with single packets by default
common.send(common.rate, common.seconds)
common.finish()
