/* SPDX-License-Identifier: Apache-2.0 */
/* handspan sidecar: bring the sessions of a directory into the store. All of
 * it is in tools/sidecar/. */
#include "tools/cli/command/commands.h"
#include "tools/sidecar/sidecar.h"

int cmd_sidecar(int argc, char **argv)
{
    return sidecar_main(argc, argv);
}
