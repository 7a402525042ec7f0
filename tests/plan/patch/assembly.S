/* SPDX-License-Identifier: Apache-2.0 */
/* Its caller hands it rbx. */
#include "case.h"
FUNC
        mov     (%rbx), %rax
        add     %rdi, %rax
        ret
END
