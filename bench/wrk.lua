-- Load script for `cargo xtask bench`. With the argument "close" every request is a connection of its own.
-- The last line of output is "result " and one JSON object: counts, seconds, microseconds.

function init(args)
  if args[1] == "close" then
    wrk.headers["Connection"] = "close"
  end
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'result {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"p999":%d,' ..
    '"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    e.connect, e.read, e.write, e.status, e.timeout))
end
