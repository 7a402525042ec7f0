/* SPDX-License-Identifier: Apache-2.0 */
#include "case.h"
FUNC
        jmp     *word(%rip)
END
