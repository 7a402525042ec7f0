/* SPDX-License-Identifier: Apache-2.0 */
#include "case.h"
FUNC
        xbegin  1f
        xend
1:      ret
END
