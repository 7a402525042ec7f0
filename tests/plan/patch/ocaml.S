/* SPDX-License-Identifier: Apache-2.0 */
/* A function of a module of OCaml: # symbol: camlEtl__load_12 */
#include "case.h"
FUNC camlEtl__load_12
        lea     2(%rax), %rax
        lea     (%rax,%rax), %rax
        ret
END camlEtl__load_12
