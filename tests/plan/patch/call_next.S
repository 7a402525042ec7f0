/* SPDX-License-Identifier: Apache-2.0 */
/* It asks where it is: no thunk of a compiler, but it must stay. */
#include "case.h"
FUNC
        call    1f
1:      pop     %rax
        add     %rdi, %rax
        ret
END
