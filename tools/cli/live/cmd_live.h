/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* handspan look, handspan top: as the commands of tools/cli/command/commands.h.
 */
int cmd_look(int argc, char **argv);
int cmd_top(int argc, char **argv);
