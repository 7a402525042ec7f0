/* SPDX-License-Identifier: Apache-2.0 */
/* Who wrote a name of C and means a function of C++. */
#pragma once

/* "ns::load(int)" where the function of this symbol is called `word` in its
 * source; malloc's, to be freed. NULL: it is not, or is none of C++. */
char *cxx_called(const char *symbol, const char *word);
