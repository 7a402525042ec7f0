// The same from C++, and where nothing is optimized.
#include "include/handspan.h"

#pragma GCC optimize("O0")

extern "C" {
long work_cpp(long id);
void submit_cpp(long id);
long cpp();
}

__attribute__((noinline)) long work_cpp(long id)
{
    __asm__ volatile("" : "+r"(id));
    return id;
}

__attribute__((noinline)) void submit_cpp(long id)
{
    handspan_set_text("language", "C++");
    handspan_carry(reinterpret_cast<const void *>(id));
}

__attribute__((noinline)) static long take(long id)
{
    handspan_adopt(reinterpret_cast<const void *>(id));
    return work_cpp(id) + work_cpp(id + 100);
}

long cpp()
{
    char id[HANDSPAN_TRACEPARENT_BYTES];
    handspan_traceparent(id);
    submit_cpp(11);
    submit_cpp(12);
    return take(12) + take(11) + work_cpp(13);
}
