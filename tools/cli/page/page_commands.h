/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that make the page. */
#pragma once

/* argv[0] is the subcommand's name, argv[argc] NULL. The exit status: 0 fine, 2
 * trouble or wrong usage, which was said on stderr. */
int cmd_serve(int argc, char **argv);
int cmd_report(int argc, char **argv);
