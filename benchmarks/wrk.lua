-- wrk asks with a picture (the file that BODY names) and counts what is answered; who is told to come again does so at once.
local threads = {}

function setup(thread)
   table.insert(threads, thread)
end

function init(args)
   local file = io.open(os.getenv("BODY"), "rb")
   wrk.method = "POST"
   wrk.body = file:read("*all")
   file:close()
   good, busy, late, other = 0, 0, 0, 0
end

function response(status)
   if status == 200 then good = good + 1
   elseif status == 429 then busy = busy + 1
   elseif status == 503 then late = late + 1
   else other = other + 1 end
end

function done(summary, latency, requests)
   local sum = {good = 0, busy = 0, late = 0, other = 0}
   for _, thread in ipairs(threads) do
      for name in pairs(sum) do sum[name] = sum[name] + thread:get(name) end
   end
   local e = summary.errors
   print(string.format('{"good": %d, "429": %d, "503": %d, "other": %d, "lost": %d, "seconds": %f, "p50": %f, "p99": %f}',
      sum.good, sum.busy, sum.late, sum.other, e.connect + e.read + e.write + e.timeout, summary.duration / 1e6,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
