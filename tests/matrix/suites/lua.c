/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a script in Debian's liblua5.4. Prototypes by hand: the library alone
 * is there. */
#include <stddef.h>
#include <stdio.h>

typedef struct lua_State lua_State;
lua_State *luaL_newstate(void);
void luaL_openlibs(lua_State *);
int luaL_loadfilex(lua_State *, const char *, const char *);
int lua_pcallk(lua_State *, int, int, int, ptrdiff_t, void *);
const char *lua_tolstring(lua_State *, int, size_t *);
void lua_close(lua_State *);

int main(int argc, char **argv)
{
    lua_State *lua = luaL_newstate();
    luaL_openlibs(lua);
    int rc = luaL_loadfilex(lua, argc > 1 ? argv[1] : "", NULL);
    if (rc == 0)
        rc = lua_pcallk(lua, 0, -1, 0, 0, NULL);
    if (rc != 0)
        printf("error %d: %s\n", rc, lua_tolstring(lua, -1, NULL));
    lua_close(lua);
    return rc;
}
