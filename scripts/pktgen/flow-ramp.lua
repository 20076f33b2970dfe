-- New flows per second that grow: each packet is a flow of its own (one of 2^40), and the rate rises step by step.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "./") .. "common.lua")

local steps = {}
for percent in (os.getenv("RATES") or "1,2,5,10,20,50,100"):gmatch("[^,]+") do
  steps[#steps + 1] = tonumber(percent) or error("RATES: " .. percent .. " is no number", 0)
end

common.prepare(64)
common.random_flows(40)
for i, percent in ipairs(steps) do
  print(string.format("step %d of %d", i, #steps))
  common.send(percent, common.seconds)
end
common.finish()
