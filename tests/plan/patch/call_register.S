/* SPDX-License-Identifier: Apache-2.0 */
#include "case.h"
FUNC
        sub     $8, %rsp
        .cfi_def_cfa_offset 16
        call    *%rdi
        add     $8, %rsp
        .cfi_def_cfa_offset 8
        ret
END
