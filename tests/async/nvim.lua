-- SPDX-License-Identifier: Apache-2.0
-- For Debian's Neovim, which runs on libuv: timers, files and work on the pool,
-- each started by a callback of another. step(id, parent) goes through a
-- function of libuv that the test's manifest names, and into the file $TRUTH.
local uv = vim.loop
local truth = io.open(os.getenv("TRUTH"), "w")
local count, pending = 0, 0
local start

local function step(parent)
  count = count + 1
  truth:write(count, " ", parent, "\n")
  uv.os_getenv(tostring(count))
  return count
end
local function done(id, depth)
  if depth > 0 then
    start(id, depth - 1)
  end
  pending = pending - 1
  if pending == 0 then
    truth:close()
    vim.schedule(function() vim.cmd("qa!") end)
  end
end
function start(parent, depth)
  pending = pending + 4
  local timer = uv.new_timer()
  timer:start(depth, 0, function()
    timer:close()
    done(step(parent), depth)
  end)
  uv.fs_open("/etc/passwd", "r", 0, function(_, file)
    local opened = step(parent)
    uv.fs_read(file, 10, 0, function()
      local read = step(opened)
      uv.fs_close(file, function() done(step(read), depth) end)
    end)
  end)
  uv.new_work(function() end, function() done(step(parent), depth) end):queue()
  local left, ticker = 3, uv.new_timer()
  ticker:start(1, 1, function()
    local id = step(parent)
    left = left - 1
    if left == 0 then
      ticker:close()
      done(id, 0)
    end
  end)
end
for _ = 1, 3 do
  start(0, 2)
end
