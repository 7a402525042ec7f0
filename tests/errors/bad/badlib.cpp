// SPDX-License-Identifier: Apache-2.0
// Libraries that fail while they are loaded: -DHOW_THROW, _FAULT, _IFUNC.
#include <cstdlib>
#include <stdexcept>

static char *volatile nowhere = reinterpret_cast<char *>(0x10);

#if defined(HOW_THROW)
__attribute__((constructor)) static void begin()
{
    throw std::runtime_error("not today"); /* @throw */
}
#elif defined(HOW_CATCH)
__attribute__((noinline)) static void inner()
{
    throw std::runtime_error("seen by nobody");
}
__attribute__((constructor)) static void begin()
{
    try {
        inner();
    } catch (const std::exception &) {
    }
}
#elif defined(HOW_FAULT)
__attribute__((constructor)) static void begin()
{
    *nowhere = 1; /* @constructor */
}
#elif defined(HOW_IFUNC)
extern "C" {
static int real(void)
{
    return 1;
}
static int (*choose(void))(void)
{
    *static_cast<volatile char *>(reinterpret_cast<char *>(0x10)) = 1; /* @choose */
    return real;
}
int chosen(void) __attribute__((ifunc("choose")));
int (*use)(void) = chosen;
}
#endif
