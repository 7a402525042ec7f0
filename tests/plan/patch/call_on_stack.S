/* SPDX-License-Identifier: Apache-2.0 */
/* The operand moves with the push: refused. */
#include "case.h"
FUNC
        sub     $24, %rsp
        .cfi_def_cfa_offset 32
        call    *8(%rsp)
        add     $24, %rsp
        .cfi_def_cfa_offset 8
        ret
END
