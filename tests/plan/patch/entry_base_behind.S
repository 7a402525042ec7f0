/* SPDX-License-Identifier: Apache-2.0 */
/* As entry_base, the distance added behind a jump: the dispatch of all labels
 * stands above the one place that takes the address. */
#include "case.h"
FUNC
9:
        movl    $0, 8(%rdi)
        jmp     2f
1:      movswq  (%rsi), %r8
        add     $2, %rsi
        add     %rcx, %r8
        jmp     *%r8
2:      lea     9b(%rip), %rcx
        jmp     1b
END
