/* SPDX-License-Identifier: Apache-2.0
 *
 * The word real_pages of a table: all pages below it have memory. Some threads
 * take an entry of two pages each at once: lane_table_take(),
 * table_make_real(), real_pages_raise() of lane/writer/tables.c.
 *
 * Fault to be found: -DFAULT_GAP does not make the pages below real that others
 * took and did not report yet: the word stands still for ever.
 */
#define TAKERS 3

byte next, real_pages, ended;
bool is_real[2 * TAKERS];

active [TAKERS] proctype taker() {
  byte at, before, i;
  d_step { at = next; next++ };
  is_real[2 * at] = 1; is_real[2 * at + 1] = 1;        /* pages_make_real() */
  before = real_pages;
  do
  :: before >= 2 * at + 2 -> break
#ifdef FAULT_GAP
  :: before < 2 * at -> break
#endif
  :: else ->
     for (i : before .. 2 * at) { is_real[i] = 1 };    /* pages_populate() */
     skip;
     d_step { if
     :: real_pages == before -> real_pages = 2 * at + 2; before = 2 * at + 2
     :: else -> before = real_pages
     fi }
  od;
  skip;
  d_step {
    for (i : 0 .. 2 * TAKERS - 1) { assert(i >= real_pages || is_real[i]) };
    ended++;
    assert(ended < TAKERS || real_pages == 2 * TAKERS)
  }
}
