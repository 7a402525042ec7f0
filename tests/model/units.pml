/* SPDX-License-Identifier: Apache-2.0
 *
 * The log of one lane: its segments, ring of slots, units, ready queue and the
 * recycling journal. A record fills a segment; segment 0 is `home`.
 *
 *   WRITER    lane_reserve(), lane_at(), lane_commit() of lane/writer.h;
 *             slot_of_next(), take_room(), unit_pop_ready(), unit_take_fresh()
 *             of lane/take.c; and a signal handler that does the same between
 *             any two of its steps (-DHANDLER=records)
 *   SIDECAR   lane_log_look() and lane_log_next() of lane/log.c, the commit of
 *             tools/sidecar/session.c, then lane_keeper_advance(),
 *             journal_set(), slot_clear(), queue_push() of lane/keeper.c;
 *             killed at any step and replaced (-DKILLS=n): journal_recover()
 *
 * Faults to be found: -DFAULT_SLOT raises `recycled` before the slot is empty,
 * -DFAULT_JOURNAL gives units back without the journal (with KILLS),
 * -DFAULT_EARLY gives them back before the commit (with KILLS).
 *
 * Not covered: two lanes at one queue, weak ordering (what x86 may reorder:
 * a store after a later load, which no step here relies on), two sidecars,
 * a writer that dies with a unit in its hands (the unit is lost then).
 */
#ifndef RECORDS
#define RECORDS 6
#endif
#ifndef KILLS
#define KILLS 0
#endif
#define RING 2
#define UNITS 3
#define QUEUE 4

/* shared memory */
byte position, limit = 1, recycled = 1;
byte slot[RING];
byte ready[QUEUE], ready_head, ready_tail, unit_next;
byte recycling, recycling_tail;
/* what stands in a unit: the position of its last record + 1 */
byte unit_holds[UNITS + 1], home_holds;
/* the store */
byte cursor;
/* what is true */
bool interrupted, ended;
byte kills, sidecar_number;
short written, stored;

inline grow(ok, lim, unit) {
  ok = 0; unit = 0;
  lim = limit;
  if
  :: lim >= recycled + RING -> skip                    /* slot_of_next() */
  :: else ->
     if
     :: slot[lim % RING] != 0 -> ok = 1                /* filled by us */
     :: else ->
        d_step { if                                    /* unit_pop_ready() */
        :: ready_head != ready_tail ->
           unit = ready[ready_head % QUEUE]; ready_head++
        :: ready_head == ready_tail && unit_next < UNITS ->
           unit_next++; unit = unit_next               /* unit_take_fresh() */
        :: else -> skip
        fi };
        do
        :: unit == 0 -> break
        :: else ->
           lim = limit;
           if
           :: lim >= recycled + RING -> unit = 0       /* stays unused */
           :: else ->
              d_step { if
              :: slot[lim % RING] == 0 -> slot[lim % RING] = unit; unit = 0; ok = 1
              :: else -> skip
              fi };
              if
              :: !ok -> d_step { if :: limit == lim -> limit = lim + 1 :: else -> skip fi }
              :: else -> skip
              fi
           fi
        od
     fi;
     if
     :: ok -> d_step { if :: limit == lim -> limit = lim + 1 :: else -> skip fi }
     :: else -> skip
     fi
  fi
}

inline reserve(has, at) {
  d_step { has = position < limit; at = position;
    if :: has -> position++ :: else -> skip fi }
}

inline write_record(has, at, ok, lim, unit) {
  reserve(has, at);
  if
  :: !has -> grow(ok, lim, unit); if :: ok -> reserve(has, at) :: else -> skip fi
  :: else -> skip
  fi;
  if
  :: has && at == 0 -> d_step { home_holds = 1; written++ }
  :: has && at > 0 ->
     unit = slot[at % RING];
     assert(unit != 0);                                /* unit -1: a wild write */
     d_step { unit_holds[unit] = at + 1; written++ }
  :: else -> skip                                      /* counted: no record */
  fi;
  at = 0; lim = 0; unit = 0; ok = 0; has = 0
}

active proctype writer() provided (!interrupted) {
  byte i, at, lim, unit; bool has, ok;
  do
  :: i < RECORDS -> write_record(has, at, ok, lim, unit); i++
  :: else -> break
  od;
  ended = 1
}

#ifdef HANDLER
active proctype handler() {
  byte i, at, lim, unit; bool has, ok;
  do
  :: atomic { i < HANDLER && !ended -> interrupted = 1 };
     write_record(has, at, ok, lim, unit);
     i++; interrupted = 0
  :: break
  od
}
#endif

inline slot_clear(segment) {
#ifdef FAULT_SLOT
  if :: recycled <= segment -> recycled = segment + 1 :: else -> skip fi;
  slot[segment % RING] = 0
#else
  slot[segment % RING] = 0;
  if :: recycled <= segment -> recycled = segment + 1 :: else -> skip fi
#endif
}

inline queue_push(unit) {
  ready[ready_tail % QUEUE] = unit;
  ready_tail++
}

inline give_back(upto, segment, unit) {
  do
  :: recycled < upto ->
     segment = recycled; unit = slot[segment % RING];
     if
     :: unit == 0 -> slot_clear(segment)
     :: else ->
#ifndef FAULT_JOURNAL
        d_step { recycling = unit; recycling_tail = ready_tail };
#endif
        slot_clear(segment);
        queue_push(unit);
        recycling = 0
     fi
  :: else -> break
  od;
  segment = 0; unit = 0
}

proctype sidecar(byte number) {
  byte at, end, segment, unit, holds;
  {
    if
    :: recycling != 0 ->                               /* journal_recover() */
       unit = recycling;
       if
       :: recycling_tail == ready_tail ->
          segment = recycled;
          if :: slot[segment % RING] == unit -> slot_clear(segment) :: else -> skip fi;
          queue_push(unit)
       :: else -> skip
       fi;
       recycling = 0; unit = 0; segment = 0
    :: else -> skip
    fi;
    do
    :: at = cursor; end = position;
       if
       :: at == end -> skip
       :: at < end && at == 0 -> holds = home_holds
       :: at < end && at > 0 -> unit = slot[at % RING]; holds = unit_holds[unit]
       fi;
       if
       :: at < end && holds == at + 1 ->
#ifdef FAULT_EARLY
          give_back(at + 1, segment, unit);
#endif
          d_step { cursor = at + 1; stored++ }         /* store_commit() */
       :: else -> skip
       fi;
       holds = 0; unit = 0;
       give_back(cursor, segment, unit)
    :: ended && cursor == position -> break
    od;
    /* every record that was written is stored, each unit in one place */
    skip;
    d_step {
      assert(stored == written);
      segment = 0; unit = 0;
      do :: segment < RING -> if :: slot[segment] != 0 -> unit++ :: else -> skip fi; segment++
         :: else -> break od;
#ifndef HANDLER
      assert(unit + (ready_tail - ready_head) == unit_next)
#endif
    }
  } unless { number != sidecar_number }
}

init {
  run sidecar(0);
  do
  :: kills < KILLS -> d_step { kills++; sidecar_number++ }; run sidecar(kills)
  :: break
  od
}

/* It comes to its end: nobody waits for a record that never comes. */
