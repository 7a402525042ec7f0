/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions that stand anywhere. */
#include "case.h"
FUNC
        push    %rbx
        mov     %rdi, %rbx
        mov     %rbx, %rax
        pop     %rbx
        ret
END
