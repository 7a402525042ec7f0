/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the address of a place in itself, to tell where it is; no jump is
 * computed. */
#include "case.h"
FUNC
        mov     %rdi, %rax
        mov     %esi, %edx
1:      lea     1b(%rip), %rcx
        mov     %rcx, (%rax)
        ret
END
