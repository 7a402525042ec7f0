/* SPDX-License-Identifier: Apache-2.0
 *
 * Two lanes at one queue of ready units, each of a process that may be killed
 * at any step, also with a unit in its hand; and the sidecar that gives units
 * back and looks for those that nobody has.
 *
 *   WRITER    lane_grow(), unit_pop_ready(), unit_take_fresh(),
 *             segment_publish() of lane/writer/take.c, each load and exchange a step
 *   SIDECAR   journal_set(), slot_clear(), queue_push() of lane/keeper/units.c;
 *             lane_clear() of a dead writer's lane, then units_recover():
 *             units_ready(), units_of_lanes(); killed at any step and replaced
 *             (-DKILLS=n): journal_recover(), units_recover()
 *
 * Faults to be found: -DFAULT_POP reads the unit after the exchange of the
 * head; -DFAULT_GROWING looks for units without asking who is taking one;
 * -DFAULT_ORDER looks at the slots first, then at the queue; -DFAULT_LOST does
 * not look for them at all.
 *
 * Not covered: more than two lanes, a ring that is full, a writer that forks
 * within a claim (its child has no lane and no hand: the parent goes on).
 */
#ifndef KILLS
#define KILLS 0
#endif
#ifndef TAKES
#define TAKES 2
#endif
#define UNITS 2
#define QUEUE 2
#define LANES 2

byte ready[QUEUE], ready_head, ready_tail, unit_next;
byte recycling, recycling_tail;
byte slot[LANES], growing[LANES];
/* what is true */
bool dead[LANES], is_free[LANES];
byte hand[LANES], kills, sidecar_number;

/* A unit stands in one slot, in the queue, on its way there or in one hand. */
inline place_check(n) {
  n = (slot[0] != 0 && (slot[0] == slot[1] || slot[0] == hand[1])) ||
      (slot[1] != 0 && slot[1] == hand[0]) ||
      (hand[0] != 0 && hand[0] == hand[1]);
  assert(n == 0)
}

proctype writer(byte me) {
  byte takes, head, unit, n;
  {
    do
    :: takes < TAKES && slot[me] == 0 ->
       growing[me] = 1;
       head = ready_head;
       do
       :: head == ready_tail ->                        /* unit_take_fresh() */
          d_step { if :: unit_next < UNITS -> unit_next++; unit = unit_next; hand[me] = unit
                      :: else -> skip fi };
          break
       :: else ->
#ifndef FAULT_POP
          unit = ready[head % QUEUE];
#endif
          d_step { if
          :: ready_head == head ->
             ready_head = head + 1; n = 1
#ifndef FAULT_POP
             ; hand[me] = unit
#endif
          :: else -> head = ready_head; n = 0
          fi };
          if
          :: n ->
#ifdef FAULT_POP
             unit = ready[head % QUEUE]; hand[me] = unit;
#endif
             break
          :: else -> unit = 0
          fi
       od;
       n = 0;
       if
       :: unit != 0 -> d_step { place_check(n); slot[me] = unit; hand[me] = 0; unit = 0; n = 0 }
       :: else -> skip
       fi;
       growing[me] = 0; takes++; head = 0
    :: takes == TAKES -> break
    od;
    skip;
    d_step { dead[me] = 1; hand[me] = 0 }
  } unless { dead[me] }
}

/* killed by somebody, at any moment */
proctype killer(byte whom) {
  if :: d_step { !dead[whom] -> dead[whom] = 1; hand[whom] = 0 } :: skip fi
}

inline push(unit) {
  ready[ready_tail % QUEUE] = unit;
  ready_tail++
}

inline slots_read(seen, i, ok) {
  i = 0; ok = 1;
  do
  :: i < LANES && ok ->
#ifndef FAULT_GROWING
     if :: growing[i] -> ok = 0 :: else -> skip fi;
#endif
     seen = seen | (1 << slot[i]); i++
  :: else -> break
  od
}

inline queue_read(seen, head, count) {
  head = ready_head; count = unit_next;
  do
  :: head != ready_tail -> seen = seen | (1 << ready[head % QUEUE]); head++
  :: else -> break
  od;
  seen = seen | (1 << recycling)
}

inline units_recover(seen, i, head, count, ok, owed) {
  seen = 0;
#ifdef FAULT_ORDER
  slots_read(seen, i, ok);
  queue_read(seen, head, count);
#else
  queue_read(seen, head, count);
  slots_read(seen, i, ok);
#endif
  i = 1;
  do
  :: ok && i <= count ->
     if
     :: !(seen & (1 << i)) ->
        d_step { assert(hand[0] != i && hand[1] != i && slot[0] != i && slot[1] != i);
                 recycling = i; recycling_tail = ready_tail };
        push(i);
        recycling = 0
     :: else -> skip
     fi;
     i++
  :: else -> break
  od;
  owed = !ok; seen = 0; i = 0; head = 0; count = 0; ok = 0
}

proctype sidecar(byte number) {
  byte lane, unit, seen, i, head, count; bool ok, owed;
  {
    if
    :: recycling != 0 ->                               /* journal_recover() */
       unit = recycling;
       if
       :: recycling_tail == ready_tail ->
          do
          :: lane < LANES ->
             d_step { if :: slot[lane] == unit -> slot[lane] = 0 :: else -> skip fi };
             lane++
          :: else -> break
          od;
          lane = 0;
          push(unit)
       :: else -> skip
       fi;
       recycling = 0; unit = 0
    :: else -> skip
    fi;
#ifndef FAULT_LOST
    units_recover(seen, i, head, count, ok, owed);
#endif
    do
    :: lane = 0; unit = slot[0]; goto give
    :: lane = 1; unit = slot[1];
give:  if
       :: unit != 0 ->                                 /* its segment is stored */
          d_step { recycling = unit; recycling_tail = ready_tail };
          d_step { if :: slot[lane] == unit -> slot[lane] = 0 :: else -> skip fi };
          push(unit);
          recycling = 0
       :: else -> skip
       fi;
       unit = 0;
       if
       :: dead[lane] && !is_free[lane] ->              /* lane_keeper_free() */
          owed = owed || growing[lane];
          growing[lane] = 0;
          is_free[lane] = 1;
#ifndef FAULT_LOST
          if :: owed -> units_recover(seen, i, head, count, ok, owed) :: else -> skip fi
#endif
       :: else -> skip
       fi;
       lane = 0
    :: is_free[0] && is_free[1] && slot[0] == 0 && slot[1] == 0 -> break
    od;
    /* nothing is lost: all that was ever handed out lies in the queue */
    assert(ready_tail - ready_head == unit_next)
  } unless { number != sidecar_number }
}

init {
  atomic { run writer(0); run writer(1); run killer(0); run sidecar(0) };
  do
  :: kills < KILLS -> d_step { kills++; sidecar_number++ }; run sidecar(kills)
  :: break
  od
}
