/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* handspan look: as the commands of tools/cli/command/commands.h. */
int cmd_look(int argc, char **argv);
