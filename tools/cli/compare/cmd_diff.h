/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* handspan diff: as the commands of tools/cli/command/commands.h. */
int cmd_diff(int argc, char **argv);
