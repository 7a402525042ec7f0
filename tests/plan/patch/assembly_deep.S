/* SPDX-License-Identifier: Apache-2.0 */
/* On one path only. */
#include "case.h"
FUNC
        push    %r12
        .cfi_def_cfa_offset 16
        mov     %rdi, %r12
        test    %rdi, %rdi
        je      1f
        mov     %r12, %rax
        pop     %r12
        .cfi_def_cfa_offset 8
        ret
        .cfi_def_cfa_offset 16
1:      mov     %r13, %rax
        pop     %r12
        .cfi_def_cfa_offset 8
        ret
END
