-- Load for wrk: each request is of another user, 100,000 of them. What was seen goes to standard output as JSON.
local sent = 0
local users = 100000
local head = "GET /v1/chat HTTP/1.1\r\nhost: chat.example.com\r\nx-team: search\r\nx-tier: silver\r\n"
  .. "x-region: eu-central-1\r\nuser-agent: bench\r\nx-user-id: user-"

function request()
  sent = sent + 1
  return head .. (sent * 7919 % users) .. "\r\n\r\n"
end

function done(summary, latency, _requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    '{"requests": %d, "duration_us": %d, "failed": %d, "p50_us": %d, "p99_us": %d}\n',
    summary.requests, summary.duration, failed, latency:percentile(50.0), latency:percentile(99.0)
  ))
end
