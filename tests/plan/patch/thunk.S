/* SPDX-License-Identifier: Apache-2.0 */
/* A retpoline. # symbol: __x86_indirect_thunk_rax */
#include "case.h"
FUNC __x86_indirect_thunk_rax
        call    1f
2:      pause
        lfence
        jmp     2b
1:      mov     %rax, (%rsp)
        ret
END __x86_indirect_thunk_rax
