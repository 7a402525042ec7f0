/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard output through a pager, as git does it: on a terminal alone,
 * $HANDSPAN_PAGER, else $PAGER, else less; none where that is empty or "cat".
 * LESS=FRX and LV=-c unless they are set. A command of more than a word is the
 * shell's.
 *
 * A pager that cannot be started, or fails without having read all, harms
 * nothing: what it left comes to the terminal, and so does the rest. One that
 * ends well before the text does ends us by SIGPIPE; other signals that end us
 * wait for it. One at a time, from the main thread.
 */
#pragma once

/* From here on. Without a pager nothing changes. */
void pager_start(void);
/* Write what is buffered, wait until it was read; standard output is the
 * terminal again. Without a pager: nothing. */
void pager_end(void);
