// SPDX-License-Identifier: Apache-2.0
//
// Cases that need an exception table. The first word of a name is the answer
// that is expected, as in cases.S.
extern "C" {
void ext(void *);

// LANDING_PADS: only the handler touches the stack argument.
__attribute__((visibility("hidden"))) long
arguments_in_handler(long, long, long, long, long, long, long seventh)
{
    try {
        ext(nullptr);
    } catch (...) {
        return seventh;
    }
    return 0;
}

__attribute__((visibility("hidden"))) long local_handler(long a)
{
    try {
        ext(nullptr);
    } catch (int e) {
        return a + e;
    }
    return 0;
}

// The only way that they are kept.
extern long (*const use_handlers[])(...);
__attribute__((used)) long (*const use_handlers[])(...) = {
    reinterpret_cast<long (*)(...)>(arguments_in_handler),
    reinterpret_cast<long (*)(...)>(local_handler),
};
}
