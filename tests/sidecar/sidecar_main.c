/* SPDX-License-Identifier: Apache-2.0 */
/* The sidecar alone, as a program: also built with sanitizers. */
#include "tools/sidecar/sidecar.h"

int main(int argc, char **argv)
{
    return sidecar_main(argc, argv);
}
