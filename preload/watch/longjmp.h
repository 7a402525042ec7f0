/* SPDX-License-Identifier: Apache-2.0 */
/* Where the program leaves calls by longjmp. */
#pragma once

/* After the handlers are bound, text open. [constructor] */
void longjmp_watch(void) __attribute__((visibility("hidden")));
