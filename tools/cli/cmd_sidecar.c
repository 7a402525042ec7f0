/* SPDX-License-Identifier: Apache-2.0 */
/* handspan sidecar: bring the sessions of a directory into the store. All of
 * it is in tools/sidecar/. */
#include "tools/cli/commands.h"
#if __has_include("tools/sidecar/sidecar.h")
#include "tools/sidecar/sidecar.h"
#else
int sidecar_main(int argc, char **argv);
#endif

int cmd_sidecar(int argc, char **argv)
{
    return sidecar_main(argc, argv);
}
