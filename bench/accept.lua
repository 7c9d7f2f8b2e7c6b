-- What wrk sends and checks. Arguments: file with the body, Authorization or "", mean pause in ms (0: none), and "close"
-- for a connection of its own for each request.
local threads = {}

function setup(thread)
   table.insert(threads, thread)
end

function init(args)
   local file = assert(io.open(args[1], "rb"))
   wrk.method = "POST"
   wrk.body = file:read("*a")
   file:close()
   wrk.headers["Content-Type"] = "application/xml"
   if args[2] ~= "" then wrk.headers["Authorization"] = args[2] end
   if args[4] == "close" then wrk.headers["Connection"] = "close" end
   local pause = tonumber(args[3])
   if pause > 0 then
      math.randomseed(os.time())
      -- Evenly spread: senders that all pause alike would come in one wave.
      function delay() return math.random(0, 2 * pause) end
   end
   good, bad = 0, 0
end

function response(status, headers, body)
   if status == 202 and string.find(body, "requestId", 1, true) then good = good + 1 else bad = bad + 1 end
end

function done(summary, latency, requests)
   local good, bad = 0, 0
   for _, thread in ipairs(threads) do
      good = good + thread:get("good")
      bad = bad + thread:get("bad")
   end
   local errors = summary.errors
   io.write(string.format(
      '\nRESULT {"good": %d, "bad": %d, "failed": %d, "time_s": %f, "p50_ms": %f, "p99_ms": %f, "max_ms": %f}\n',
      good, bad, errors.connect + errors.read + errors.write + errors.timeout, summary.duration / 1e6,
      latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
