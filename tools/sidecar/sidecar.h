/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommand `handspan sidecar`; docs/store.md. */
#pragma once

/* argv[0] is the subcommand's name. Exit status: 0 all sessions are stored
 * (with --once: all that was there), 1 some were left alone (they are named),
 * 2 trouble with directory or store. */
int sidecar_main(int argc, char **argv);
