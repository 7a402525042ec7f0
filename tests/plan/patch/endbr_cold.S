/* SPDX-License-Identifier: Apache-2.0 */
/* The other part comes back behind the endbr64. */
#include "case.h"
FUNC
        endbr64
1:      mov     %rdi, %rax
        dec     %rdi
        je      2f
        ret
END
        .balign 16
2:      .cfi_startproc
        inc     %rdi
        jmp     1b
        .cfi_endproc
