-- Programs whose traces run long: `speed.lua NAME N`. Without arguments all, small.
local bit = require("bit")
local P, order = {}, {}
local function program(name, small, f) P[name] = { small = small, f = f }; order[#order + 1] = name end

program("fannkuch", 7, function(n)
  local p, q, s, sign, maxflips, sum = {}, {}, {}, 1, 0, 0
  for i = 1, n do p[i] = i; q[i] = i; s[i] = i end
  repeat
    local q0 = p[1]
    if q0 ~= 1 then
      for i = 2, n do q[i] = p[i] end
      local flips = 1
      while true do
        local qq = q[q0]
        if qq == 1 then
          sum = sum + sign * flips
          if flips > maxflips then maxflips = flips end
          break
        end
        q[q0] = q0
        if q0 >= 4 then
          local i, j = 2, q0 - 1
          repeat q[i], q[j] = q[j], q[i]; i = i + 1; j = j - 1 until i >= j
        end
        q0 = qq
        flips = flips + 1
      end
    end
    if sign == 1 then
      p[1], p[2] = p[2], p[1]
      sign = -1
    else
      p[2], p[3] = p[3], p[2]
      sign = 1
      for i = 3, n do
        local sx = s[i]
        if sx ~= 1 then s[i] = sx - 1; break end
        if i == n then return sum .. " " .. maxflips end
        s[i] = i
        local t = p[1]
        for j = 1, i do p[j] = p[j + 1] end
        p[i + 1] = t
      end
    end
  until false
end)

program("nbody", 2000, function(n)
  local sqrt = math.sqrt
  local bodies = {
    { x = 0, y = 0, z = 0, vx = 0, vy = 0, vz = 0, mass = 39.47841760435743 },
    { x = 4.84143144246472090, y = -1.16032004402742839, z = -0.103622044471123109, vx = 0.606326392995832, vy = 2.81198684491626016, vz = -0.02521836165988763, mass = 0.03769367487038949 },
    { x = 8.34336671824457987, y = 4.12479856412430479, z = -0.403523417114321381, vx = -1.01077434617879236, vy = 1.82566237123041186, vz = 0.00841576137658415351, mass = 0.0112863261319687668 },
    { x = 12.8943695621391310, y = -15.1111514016986312, z = -0.223307578892655734, vx = 1.08279100644153536, vy = 0.868713018169608220, vz = -0.0108326374013636358, mass = 0.00172372405705971227 },
    { x = 15.3796971148509165, y = -25.9193146099879641, z = 0.179258772950371181, vx = 0.979090732243897976, vy = 0.594698998647676060, vz = -0.0347559555040781037, mass = 0.00203368686992463042 },
  }
  local nbody = #bodies
  for _ = 1, n do
    for i = 1, nbody do
      local bi = bodies[i]
      local bix, biy, biz, bimass = bi.x, bi.y, bi.z, bi.mass
      local bivx, bivy, bivz = bi.vx, bi.vy, bi.vz
      for j = i + 1, nbody do
        local bj = bodies[j]
        local dx, dy, dz = bix - bj.x, biy - bj.y, biz - bj.z
        local d2 = dx * dx + dy * dy + dz * dz
        local mag = 0.01 / (sqrt(d2) * d2)
        local bm = bj.mass * mag
        bivx, bivy, bivz = bivx - dx * bm, bivy - dy * bm, bivz - dz * bm
        bm = bimass * mag
        bj.vx, bj.vy, bj.vz = bj.vx + dx * bm, bj.vy + dy * bm, bj.vz + dz * bm
      end
      bi.vx, bi.vy, bi.vz = bivx, bivy, bivz
      bi.x, bi.y, bi.z = bix + 0.01 * bivx, biy + 0.01 * bivy, biz + 0.01 * bivz
    end
  end
  return string.format("%.11f %.11f", bodies[1].x, bodies[5].vz) -- not all digits: see corners.lua on fused sums
end)

program("spectral", 60, function(n)
  local function A(i, j) local ij = i + j - 1; return 1.0 / (ij * (ij - 1) * 0.5 + i) end
  local function Av(x, y) for i = 1, n do local a = 0; for j = 1, n do a = a + x[j] * A(i, j) end; y[i] = a end end
  local function Atv(x, y) for i = 1, n do local a = 0; for j = 1, n do a = a + x[j] * A(j, i) end; y[i] = a end end
  local u, v, t = {}, {}, {}
  for i = 1, n do u[i] = 1 end
  for _ = 1, 10 do Av(u, t); Atv(t, v); Av(v, t); Atv(t, u) end
  local vBv, vv = 0, 0
  for i = 1, n do local ui, vi = u[i], v[i]; vBv = vBv + ui * vi; vv = vv + vi * vi end
  return string.format("%.9f", math.sqrt(vBv / vv))
end)

program("mandelbrot", 40, function(n)
  local inside, sum = 0, 0
  for y = 0, n - 1 do
    local ci = 2 * y / n - 1
    for x = 0, n - 1 do
      local cr = 2 * x / n - 1.5
      local zr, zi, k = 0, 0, 0
      while k < 100 and zr * zr + zi * zi <= 4 do zr, zi = zr * zr - zi * zi + cr, 2 * zr * zi + ci; k = k + 1 end
      if k == 100 then inside = inside + 1 end
      sum = sum + k
    end
  end
  return inside .. " " .. sum
end)

program("fib", 18, function(n)
  local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
  return fib(n)
end)

program("bintrees", 8, function(n)
  local function bottom(d) if d == 0 then return {} end return { bottom(d - 1), bottom(d - 1) } end
  local function check(t) if t[1] then return 1 + check(t[1]) + check(t[2]) end return 1 end
  local out = {}
  for d = 4, n, 4 do
    local it, c = 2 ^ (n - d + 4), 0
    for _ = 1, it do c = c + check(bottom(d)) end
    out[#out + 1] = c
  end
  return table.concat(out, " ")
end)

program("sieve", 20000, function(n)
  local count, flags = 0, {}
  for _ = 1, 10 do
    count = 0
    for i = 2, n do flags[i] = true end
    for i = 2, n do if flags[i] then count = count + 1; for k = i + i, n, i do flags[k] = false end end end
  end
  return count
end)

program("bits", 20000, function(n)
  local band, bxor, rol, tobit, bnot, rshift = bit.band, bit.bxor, bit.rol, bit.tobit, bit.bnot, bit.rshift
  local a, b, c, d = 0x67452301, tobit(0xefcdab89), tobit(0x98badcfe), 0x10325476
  for i = 1, n do
    local f = bxor(d, band(b, bxor(c, d)))
    a, b, c, d = d, tobit(b + rol(tobit(a + f + i * 7919), i % 31 + 1)), b, bxor(c, rshift(a, i % 13))
    a = bnot(a)
  end
  return bit.tohex(a) .. bit.tohex(b) .. bit.tohex(c) .. bit.tohex(d)
end)

program("queens", 7, function(n)
  local count = 0
  local function ok(a, row, c)
    for i = 1, row - 1 do if a[i] == c or a[i] - i == c - row or a[i] + i == c + row then return false end end
    return true
  end
  local function add(a, row)
    if row > n then count = count + 1 return end
    for c = 1, n do if ok(a, row, c) then a[row] = c; add(a, row + 1) end end
  end
  add({}, 1)
  return count
end)

program("heapsort", 2000, function(n)
  local seed = 42
  local function random() seed = (seed * 3877 + 29573) % 139968; return seed / 139968 end
  local ra = {}
  for i = 1, n do ra[i] = random() end
  local l, ir = math.floor(n / 2) + 1, n
  while true do
    local rra
    if l > 1 then l = l - 1; rra = ra[l]
    else
      rra = ra[ir]; ra[ir] = ra[1]; ir = ir - 1
      if ir == 1 then ra[1] = rra break end
    end
    local i, j = l, l * 2
    while j <= ir do
      if j < ir and ra[j] < ra[j + 1] then j = j + 1 end
      if rra < ra[j] then ra[i] = ra[j]; i = j; j = j + i else j = ir + 1 end
    end
    ra[i] = rra
  end
  for i = 2, n do assert(ra[i - 1] <= ra[i]) end
  return string.format("%.10f %.10f", ra[1], ra[n])
end)

program("matmul", 24, function(n)
  local function matrix(f) local m = {}; for i = 1, n do m[i] = {}; for j = 1, n do m[i][j] = f(i, j) end end return m end
  local a, b = matrix(function(i, j) return (i - j) * (i + j) / n end), matrix(function(i, j) return i + j / n end)
  local s = 0
  for _ = 1, 4 do
    local c = {}
    for i = 1, n do
      local ci, ai = {}, a[i]
      for j = 1, n do local x = 0; for k = 1, n do x = x + ai[k] * b[k][j] end; ci[j] = x end
      c[i] = ci
    end
    s = s + c[n][n] + c[1][n]
  end
  return string.format("%.10g", s)
end)

program("objects", 2000, function(n)
  local Account = {}
  Account.__index = Account
  function Account.new(b) return setmetatable({ balance = b, log = 0 }, Account) end
  function Account:deposit(v) self.balance = self.balance + v; self.log = self.log + 1; return self end
  function Account:withdraw(v) if v > self.balance then return nil, "no" end self.balance = self.balance - v; return self end
  local Savings = setmetatable({}, { __index = Account })
  Savings.__index = Savings
  function Savings.new(b) local a = Account.new(b); a.rate = 0.01; return setmetatable(a, Savings) end
  function Savings:interest() self:deposit(self.balance * self.rate) end
  local a, s, refused = Account.new(10), Savings.new(100), 0
  for i = 1, n * 10 do
    a:deposit(i % 7)
    if not a:withdraw(i % 11) then refused = refused + 1 end
    s:withdraw(i % 3)
    if i % 10 == 0 then s:interest() end
    if s.balance > 1e6 then s.balance = 100 end
  end
  return string.format("%d %d %.6f %d", a.balance, refused, s.balance, s.log)
end)

program("ffi", 3000, function(n)
  local ffi = require("ffi")
  ffi.cdef("typedef struct { uint8_t r, g, b, a; } speed_pixel;")
  local img = ffi.new("speed_pixel[?]", n)
  local f = 255 / (n - 1)
  for _ = 1, 20 do
    for i = 0, n - 1 do img[i].g = i * f; img[i].a = 255 end
    for i = 0, n - 1 do
      local y = 0.3 * img[i].r + 0.59 * img[i].g + 0.11 * img[i].b
      img[i].r = y; img[i].g = y; img[i].b = y
    end
  end
  local x = 1ULL
  for i = 0, n - 1 do x = x * 6364136223846793005ULL + img[i].r; x = bit.bxor(x, bit.rshift(x, 29)) end
  return tostring(x)
end)

program("strings", 400, function(n)
  local words, out = {}, {}
  for i = 1, n do words[i] = string.char(97 + i % 26, 97 + i * 7 % 26, 97 + i * 11 % 26) .. i % 50 end
  local counts, len = {}, 0
  for r = 1, 10 do
    for i = 1, n do
      local w = words[i] .. r
      counts[w] = (counts[w] or 0) + 1
      len = len + #w + w:byte(2)
      out[#out + 1] = w:upper():sub(2, 4)
    end
  end
  local keys = {}
  for k in pairs(counts) do keys[#keys + 1] = k end
  table.sort(keys)
  return len .. " " .. #keys .. " " .. keys[1] .. " " .. keys[#keys] .. " " .. #table.concat(out, ",")
end)

program("life", 10, function(n)
  local size, a = 64, {}
  for i = 0, size * size - 1 do a[i] = (i * 7919 % 31 < 11) and 1 or 0 end
  for _ = 1, n do
    local b = {}
    for y = 0, size - 1 do
      local up, mid, down = (y - 1) % size * size, y * size, (y + 1) % size * size
      for x = 0, size - 1 do
        local l, r = (x - 1) % size, (x + 1) % size
        local s = a[up + l] + a[up + x] + a[up + r] + a[mid + l] + a[mid + r] + a[down + l] + a[down + x] + a[down + r]
        b[mid + x] = (s == 3 or (s == 2 and a[mid + x] == 1)) and 1 or 0
      end
    end
    a = b
  end
  local s = 0
  for i = 0, size * size - 1 do s = (s * 2 + a[i]) % 1000003 end
  return s
end)

program("coroutines", 3000, function(n)
  local function gen(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) end
  local function filter(p, g) return coroutine.wrap(function() for x in g do if x % p ~= 0 then coroutine.yield(x) end end end) end
  local s, g = 0, filter(5, filter(3, filter(2, gen(n))))
  for x in g do s = s + x end
  return s
end)

program("calls", 3000, function(n)
  local function add(a) return function(b) return a + b end end
  local fs, s = {}, 0
  for i = 1, 8 do fs[i] = add(i) end
  local function vararg(...) local x = select("#", ...); return x + select(x, ...) end
  for i = 1, n * 5 do s = fs[i % 8 + 1](s) % 65521 + vararg(i, s, 3) + math.max(i % 5, 2) + math.floor(s / 3) end
  return s
end)

local name, n = ...
if name then
  local from = os.clock()
  local result = P[name].f(tonumber(n))
  if os.getenv("LUA_TIME") then io.stderr:write(string.format("%s %.3f\n", name, os.clock() - from)) end
  print(name, result)
else
  for _, name in ipairs(order) do print(name, P[name].f(P[name].small)) end
  for _, name in ipairs(order) do print(name, P[name].f(P[name].small)) end
end
