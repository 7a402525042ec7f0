/* SPDX-License-Identifier: Apache-2.0 */
/* A call of itself goes through the patch, as it should. */
#include "case.h"
FUNC
        sub     $8, %rsp
        .cfi_def_cfa_offset 16
        dec     %rdi
        je      1f
        call    f
1:      add     $8, %rsp
        .cfi_def_cfa_offset 8
        ret
END
