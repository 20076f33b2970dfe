-- One flow of 64-byte packets: the highest packet rate, all of it on one queue and one worker.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "./") .. "common.lua")

common.prepare(64)
common.send(common.rate, common.seconds)
common.finish()
