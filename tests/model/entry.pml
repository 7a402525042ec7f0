/* SPDX-License-Identifier: Apache-2.0
 *
 * An entry of a lane's open spans (lane/format/layout_lane.h) between its owner and
 * threads that return from a call of it elsewhere: span_take() and
 * span_claim() of preload/call/record/span_internal.h.
 *
 *   OWNER     take_open(), start_open() of span_open.h: opens CALLS calls in
 *             it, one after the other; of each it returns itself
 *             (span_leave(): plain looks and stores), or its fiber went to a
 *             thread, and it may take it for dead (claim_and_end(), span_stack.c)
 *   RETURNS   leave_elsewhere() of span_general.c: from the call it was given,
 *             once, however late
 *   MAKES     span_end_stack(): a thread that makes a stack where that of the
 *             first call was
 *
 * Each call ends once. Faults to be found: -DFAULT_COPY claims what it finds
 * after it has looked, as it was; -DFAULT_ONCE does not look again after
 * another one has written over its mark.
 *
 * Not covered: a thread that is killed, or that jumps out, between mark and
 * exchange; the words of a CONTEXT entry.
 */
#ifndef CALLS
#define CALLS 3
#endif
#define FREE 0
#define CALL 1
#define DONE 2
#define NOBODY 0

byte state, who;                  /* one word: always together */
byte span;
byte ends[CALLS + 1];
bool given[CALLS + 1];
byte finished;

inline end_of(n) {
  d_step { ends[n]++; assert(ends[n] == 1) }
}

inline take(me, n) {              /* span_take() */
  byte was_state, was_who; bool is_it, is_taken;
  is_taken = 0;
  if
  :: span == n ->
     do
     :: d_step { was_state = state; was_who = who };
        if :: was_state != CALL -> break :: else -> skip fi;
#ifdef FAULT_COPY
        d_step { if :: state == CALL -> state = DONE; is_taken = 1
                 :: else -> skip fi };
        break
#else
        d_step { is_it = (state == was_state && who == was_who);
                 if :: is_it -> who = me :: else -> skip fi };
        if
        :: !is_it -> skip         /* again */
        :: else ->
           is_it = (span == n);
           d_step {
             if
             :: state == CALL && who == me ->
                who = NOBODY; is_taken = 1;
                if :: is_it -> state = DONE :: else -> skip fi
             :: else -> is_taken = 0
             fi
           };
           if
           :: is_taken || !is_it -> is_taken = (is_taken && is_it); break
#ifdef FAULT_ONCE
           :: else -> break
#else
           :: else -> skip
#endif
           fi
        fi
#endif
     od
  :: else -> skip
  fi;
  if :: is_taken -> end_of(n) :: else -> skip fi
}

proctype returns(byte me; byte n) {
  given[n];
  take(me, n);
  finished++
}

proctype makes(byte me) {
  given[1];
  take(me, 1);
  finished++
}

active proctype owner() {
  byte n, was_who; bool is_claimed;
  run returns(2, 1);
  run returns(3, 2);
  run makes(4);
  for (n : 1 .. CALLS) {
    span = n;
    d_step { state = CALL; who = NOBODY };             /* start_open() */
    if
    :: n == CALLS || n == 3 ->                         /* span_leave() */
       if :: state == CALL -> end_of(n) :: else -> assert(0) fi
    :: else ->
       given[n] = 1;
       if
       :: skip; state == DONE                          /* some day */
       :: d_step { is_claimed = (state == CALL); was_who = who };
          do                                           /* span_claim() */
          :: !is_claimed -> break
          :: else ->
             d_step { if
             :: state == CALL && who == was_who ->
                state = DONE; who = NOBODY; is_claimed = 0; was_who = 255
             :: else -> is_claimed = (state == CALL); was_who = who
             fi }
          od;
          if :: was_who == 255 -> end_of(n) :: else -> skip fi
       fi
    fi;
    d_step { state = FREE; who = NOBODY }              /* span_pop_done() */
  };
  finished == 3;
  for (n : 1 .. CALLS) {
    assert(ends[n] == 1)
  }
}
