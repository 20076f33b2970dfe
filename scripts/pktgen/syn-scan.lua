-- One host that tries ports of 65536 hosts: TCP SYNs of 64 bytes, nearly each of them a flow of one packet.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "./") .. "common.lua")

common.prepare(64)
pktgen.set_proto(common.port, "tcp")
pktgen.set_tcp_flags(common.port, "syn")
pktgen.rnd(common.port, 0, 30, string.rep(".", 16) .. string.rep("X", 16))  -- destination address, low half
pktgen.rnd(common.port, 1, 36, string.rep(".", 6) .. string.rep("X", 10))   -- destination port, one of 1024
common.send(common.rate, common.seconds)
common.finish()
