/* SPDX-License-Identifier: Apache-2.0 */
/* By its unwind rows no ordinary entry. */
#include "case.h"
FUNC
        .cfi_def_cfa_offset 32
        mov     %rdi, %rax
        inc     %rax
        ret
END
