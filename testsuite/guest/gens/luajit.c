// Runs a Lua script with LuaJIT: `luajit SCRIPT ARG…`. The functions below are for scripts that call C through the FFI.
#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

typedef struct {
    double x, y, z;
} vec3;
typedef struct {
    int32_t a;
    double b;
    uint8_t c[5];
} mixed;

__attribute__((used)) vec3 g_add(vec3 a, vec3 b) { return (vec3){a.x + b.x, a.y + b.y, a.z + b.z}; }
__attribute__((used)) mixed g_mix(int32_t a, double b, const char *c) {
    mixed m = {a, b, {0}};
    strncpy((char *)m.c, c, 4);
    return m;
}
__attribute__((used)) int64_t g_sum(int n, ...) {
    va_list ap;
    va_start(ap, n);
    int64_t s = 0;
    while (n--) {
        s = s * 31 + va_arg(ap, int);
    }
    va_end(ap);
    return s;
}
__attribute__((used)) double g_many(int a, float b, int64_t c, double d, uint8_t e, float f, int16_t g, double h, int i, int j,
                                    int k, int l, double m, double n, double o, double p, double q) {
    return a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p + q;
}
__attribute__((used)) double g_apply(double (*f)(double, int), double x, int times) {
    for (int i = 0; i < times; i++) {
        x = f(x, i);
    }
    return x;
}
__attribute__((used)) int g_step(int x) { return x * 3 + 1; }

// Signals that only count: lua_sethook in a handler races with the compiler's own updates of LuaJIT's dispatch tables, in any
// engine and under qemu, too.
static volatile int ticks;

static void on_timer(int sig) {
    (void)sig;
    ticks++;
}

// With true: a signal every millisecond of processor time, until it is called with false; returns whether any came.
static int timer(lua_State *L) {
    int on = lua_toboolean(L, 1);
    signal(SIGPROF, on_timer);
    struct itimerval t = {{0, on ? 1000 : 0}, {0, on ? 1000 : 0}};
    setitimer(ITIMER_PROF, &t, NULL);
    lua_pushboolean(L, ticks > 0);
    return 1;
}

static int protected_main(lua_State *L) {
    char **argv = lua_touserdata(L, 1);
    int n = 0;
    if (luaL_loadfile(L, argv[1])) {
        return lua_error(L);
    }
    for (char **a = argv + 2; *a; a++, n++) {
        lua_pushstring(L, *a);
    }
    lua_call(L, n, 0);
    return 0;
}

// What scripts call through `ffi.C` is found by name natively; a static program has no names, so they get addresses.
static void export(lua_State *L, const char *name, void *address) {
    lua_pushlightuserdata(L, address);
    lua_setglobal(L, name);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: luajit SCRIPT ARG...\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    lua_pushcfunction(L, timer);
    lua_setglobal(L, "timer");
    export(L, "g_add", g_add);
    export(L, "g_mix", g_mix);
    export(L, "g_sum", g_sum);
    export(L, "g_many", g_many);
    export(L, "g_apply", g_apply);
    export(L, "g_step", g_step);
    export(L, "c_qsort", qsort);
    export(L, "c_strlen", strlen);
    if (lua_cpcall(L, protected_main, argv)) {
        fprintf(stderr, "luajit: %s\n", lua_tostring(L, -1));
        return 1;
    }
    lua_close(L);
    return 0;
}
