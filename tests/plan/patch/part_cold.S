/* SPDX-License-Identifier: Apache-2.0 */
# symbol: f.cold
#include "case.h"
FUNC f.cold
        mov     %rdi, %rax
        inc     %rax
        ret
END f.cold
