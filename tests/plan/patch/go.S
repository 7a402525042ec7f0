/* SPDX-License-Identifier: Apache-2.0 */
/* A note says that this is Go. */
#include "case.h"
FUNC
        mov     %rdi, %rax
        inc     %rax
        ret
END
        .section .note.go.buildid, "a", @note
        .balign 4
        .long   4, 4, 4
        .asciz  "Go\0"
        .long   0
