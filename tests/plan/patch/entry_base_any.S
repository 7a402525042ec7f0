/* SPDX-License-Identifier: Apache-2.0 */
/* As entry_base: where the distance is added nothing leads but a jump through
 * memory, past the end of another path. */
#include "case.h"
FUNC
9:
        incl    (%rdi)
        lea     9b(%rip), %rcx
        jmp     *(%rsi)
        mov     $1, %eax
        ret
        movswq  (%rsi), %r8
        add     %rcx, %r8
        jmp     *%r8
END
