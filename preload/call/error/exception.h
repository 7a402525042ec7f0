/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a C++ exception says of itself, read from its bytes: no code of the
 * program is run, its what() least of all. Layouts are those of the C++ ABI
 * and of libstdc++ and libc++, which agree on all that is used here.
 *
 * [any thread; general registers only; no libc; no fault]
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXCEPTION_HIDDEN __attribute__((visibility("hidden")))

enum {
    EXCEPTION_TYPE_BYTES = 256,
    EXCEPTION_MESSAGE_BYTES = 1024,
};

/* The thrown object behind an _Unwind_Exception, and its std::type_info; also
 * of a dependent one (std::rethrow_exception). False: not of C++. */
EXCEPTION_HIDDEN bool exception_look(uint64_t unwind_exception, uint64_t *type,
                                     uint64_t *object);
/* The exception that is being handled innermost, of __cxa_eh_globals: its
 * _Unwind_Exception, 0 none. */
EXCEPTION_HIDDEN uint64_t exception_caught(uint64_t globals);
/* The object behind a std::exception_ptr, and its type; 0: empty. */
EXCEPTION_HIDDEN uint64_t exception_pointer(uint64_t exception_ptr,
                                            uint64_t *type);
/* The mangled name of a type. Its length; 0: not readable. */
EXCEPTION_HIDDEN size_t exception_type_name(uint64_t type,
                                            char name[EXCEPTION_TYPE_BYTES]);
/*
 * What it says: the text of std::runtime_error, std::logic_error and what is
 * derived from them; a thrown std::string, C string or integer. `has_message`
 * false: nothing that can be read so. Bytes of the message.
 */
EXCEPTION_HIDDEN size_t exception_message(uint64_t type, uint64_t object,
                                          char message[EXCEPTION_MESSAGE_BYTES],
                                          bool *has_message);
