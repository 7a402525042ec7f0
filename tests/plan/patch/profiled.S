/* SPDX-License-Identifier: Apache-2.0 */
/* gcc -pg: mcount looks at the frame for the caller's address. */
#include "case.h"
FUNC
        push    %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_offset rbp, -16
        mov     %rsp, %rbp
        .cfi_def_cfa_register rbp
        call    *mcount@GOTPCREL(%rip)
        lea     (%rdi,%rdi), %rax
        leave
        .cfi_def_cfa rsp, 8
        ret
END
