/* SPDX-License-Identifier: Apache-2.0 */
#include "case.h"
FUNC
        mov     %rdi, %rcx
        jrcxz   1f
        inc     %rax
1:      ret
END
