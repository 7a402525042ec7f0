/* SPDX-License-Identifier: Apache-2.0 */
/* What whoever started us left us that is in our way, and the program's. */
#pragma once

/* Where SIGCHLD is ignored nobody can be waited for: it is not, here. Before
 * the first child. */
void inherited_take(void);

/* As it was: in a child of ours, or in our place, that becomes the program. */
void inherited_give_back(void);

/* fn(argc, argv), and what it returns; on a stack of ours where the limit
 * leaves the main thread too little. */
int inherited_run(int (*fn)(int argc, char **argv), int argc, char **argv);
