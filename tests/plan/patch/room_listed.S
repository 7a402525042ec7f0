/* SPDX-License-Identifier: Apache-2.0 */
/* -fcf-protection -fpatchable-function-entry=5: the room behind the endbr64 is
 * listed. */
#include "case.h"
FUNC
        endbr64
1:      nop
        nop
        nop
        nop
        nop
        mov     %rdi, %rax
        ret
END
        .section __patchable_function_entries, "aw", @progbits
        .balign 8
        .quad   1b
