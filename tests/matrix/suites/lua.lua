-- SPDX-License-Identifier: Apache-2.0
-- Every library of Lua; errors (longjmp), coroutines, finalizers among them.
local function fails(part, f, ...)
  local ok, why = pcall(f, ...)
  assert(not ok and tostring(why):find(part, 1, true), tostring(why))
end

-- errors from C, from Lua, from finalizers, through coroutines and handlers
fails("attempt to index", function() local x; return x.y end)
fails("number expected", string.rep, "x", "y")
fails("thrown", error, { part = 1 } and "thrown")
fails("stack overflow", function() local function f() return 1 + f() end f() end)
-- C and Lua in each other, 150 deep, and all of it thrown away
local function nest(n)
  if n == 0 then error("bottom") end
  return (string.gsub("x", "x", function() return nest(n - 1) end))
end
fails("bottom", nest, 150)
local _, trace = xpcall(function() error("deep") end, debug.traceback)
assert(trace:find("deep") and trace:find("xpcall"))
for i = 1, 2000 do
  local ok, v = pcall(function() if i % 3 == 0 then error({ i }) end return i end)
  assert(ok == (i % 3 ~= 0) and (ok and v or v[1]) == i)
end

-- coroutines: in each other, with errors, closed, through pcall and sort
local function numbers(n)
  return coroutine.wrap(function()
    for i = 1, n do
      local ok = pcall(function() coroutine.yield(i) error("x") end)
      assert(not ok)
    end
  end)
end
local sum = 0
for i in numbers(500) do for j in numbers(i % 7) do sum = sum + i * j end end
print("coroutines", sum)
local closed = {}
local co = coroutine.create(function()
  local guard <close> = setmetatable({}, { __close = function() closed[1] = true end })
  coroutine.yield(1)
end)
assert(coroutine.resume(co) and coroutine.close(co) and closed[1])

-- strings, patterns, formats, packs
local text = ("The quick brown fox; "):rep(50)
local words = {}
for w in text:gmatch("%a+") do words[#words + 1] = w:lower() end
table.sort(words, function(a, b) return a > b end)
print(#words, words[1], table.concat(words, ",", 1, 4))
print((text:gsub("(%a+) (%a+)", "%2 %1", 2)):sub(1, 40))
print(string.format("%5d|%-8s|%.14g|%q|%x|%a", 42, "ab", 2 ^ 53 / 3, "a\n\0b", 255, 0.5))
print(string.pack(">i4 z s2 d", -7, "zero", "two", 1.5):byte(1, -1))
print(string.unpack("<i8", string.pack("<i8", math.mininteger)))
print(utf8.char(228, 8364, 128512), utf8.len("äöü"), #string.rep("ab", 1000, ","))
print(("%d"):format(3.0), 7 // 2, -7 % 3, 7.5 // 2, 1 << 62, ~0, "10" + 5, 10 / 2)
print(math.tointeger(3.0), math.type(1), math.ult(1, -1), math.fmod(-7, 3), math.maxinteger + 1 == math.mininteger)

-- tables, metatables, weak ones, the collector in all of its modes
local Point = {}
Point.__index = Point
Point.__add = function(a, b) return setmetatable({ x = a.x + b.x }, Point) end
Point.__lt = function(a, b) return a.x < b.x end
Point.__concat = function(a, b) return tostring(a) .. tostring(b) end
Point.__tostring = function(p) return "P" .. p.x end
Point.__call = function(p, n) return p.x * n end
local p = setmetatable({ x = 2 }, Point) + setmetatable({ x = 3 }, Point)
print(p .. p, p(4), p < p)
local dead = 0
for _, mode in ipairs { "incremental", "generational", "incremental" } do
  collectgarbage(mode)
  for i = 1, 3000 do
    local t = setmetatable({ i, tostring(i), { i } }, { __gc = function() dead = dead + 1 end })
    t[i] = t
  end
  collectgarbage()
end
collectgarbage() collectgarbage()
print("finalized", dead)
local weak = setmetatable({}, { __mode = "k" })
weak[{}] = 1 collectgarbage() print(next(weak))
local big = table.pack(table.unpack({}, 1, 200)) print(big.n, select("#", table.unpack(words)))
table.move(words, 1, 10, 5) table.insert(words, 1, "first") print(words[1], table.remove(words), #words)

-- loading, dumping, files, the system
local source = "local a, b = ... ; local function f(n) return n < 2 and n or f(n - 1) + f(n - 2) end return f(a) + b"
print(load(source)(18, 1), load(string.dump(load(source)))(12, 1), load("x ="))
local parts, at = { "return ", "1 +", " 2" }, 0
print(load(function() at = at + 1 return parts[at] end)())
local name = "lua-case.txt"
local f = assert(io.open(name, "w"))
f:write("one\n", 2, "\n", 3.5, "\n", "rest") f:close()
f = io.open(name) print(f:read("l", "n", "n", "a")) print(f:seek("set", 4), f:read("L")) f:close()
for line in io.lines(name) do io.write(line, ";") end print()
print(os.remove(name), io.open("no/such"), os.time({ year = 2000, month = 1, day = 1, hour = 12 }) ~= nil)
local count = 0
debug.sethook(function() count = count + 1 end, "l") for i = 1, 10 do local x = i end debug.sethook()
print(count > 9, debug.getinfo(1, "S").what, os.getenv("NO_SUCH"))
goto done
print("not reached")
::done::
print("done")
