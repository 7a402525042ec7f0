/* SPDX-License-Identifier: Apache-2.0 */
/* By its name alone; the copy is there for a stub made for it. */
# symbol: vfork
#include "case.h"
FUNC vfork
        pop     %rdx
        mov     $58, %eax
        syscall
        push    %rdx
        ret
END vfork
