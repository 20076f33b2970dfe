-- 64-byte packets of 2^FLOW_BITS flows at random: every packet a cache line of the flow table that is cold.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "./") .. "common.lua")

common.prepare(64)
common.random_flows(common.flow_bits)
common.send(common.rate, common.seconds)
common.finish()
