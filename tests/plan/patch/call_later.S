/* SPDX-License-Identifier: Apache-2.0 */
#include "case.h"
FUNC
        push    %rbx
        .cfi_def_cfa_offset 16
        mov     %rdi, %rbx
        call    g
        pop     %rbx
        .cfi_def_cfa_offset 8
        ret
END
FUNC g
        mov     $1, %eax
        ret
END g
