/* SPDX-License-Identifier: Apache-2.0
 *
 * The log of one lane: its segments, ring of slots, units, ready queue and the
 * recycling journal. A record fills a segment; segment 0 is `home`.
 *
 *   WRITER    lane_reserve(), lane_at(), lane_commit() of lane/writer/writer.h;
 *             slot_is_free(), take_room(), segment_publish(),
 *             unit_pop_ready(), unit_take_fresh() of lane/writer/take.c; and a signal
 *             handler that does the same between any two of its steps
 *             (-DHANDLER=records)
 *   SIDECAR   lane_log_look() and lane_log_next() of lane/reader/log.c, the commit of
 *             tools/sidecar/drain/session.c, then lane_keeper_advance(),
 *             journal_set(), slot_clear(), queue_push() of lane/keeper/units.c;
 *             killed at any step and replaced (-DKILLS=n): journal_recover()
 *
 * Faults to be found: -DFAULT_SLOT empties the slot whatever stands in it,
 * -DFAULT_JOURNAL gives units back without the journal (with KILLS),
 * -DFAULT_EARLY gives them back before the commit (with KILLS), -DFAULT_STALE
 * leaves what was stored to the slot of a segment that a handler published and
 * the sidecar gave back meanwhile (with HANDLER).
 *
 * Not covered: weak ordering (what x86 may reorder: a store after a later load,
 * which no step here relies on), two sidecars, windows smaller than the ring,
 * handlers in handlers. Two lanes at one queue, and a writer that dies with a
 * unit in its hand: queue.pml.
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
/* the thread's own memory: struct lane_window */
byte window[RING], window_of[RING];
/* what stands in a unit: the position of its last record + 1 */
byte unit_holds[UNITS + 1], home_holds;
/* the store */
byte cursor;
/* what is true */
bool interrupted, ended;
byte kills, sidecar_number;
short written, stored;

/* take_room(): the window first, then the slot, then `limit` */
inline grow(ok, lim, unit, seen, filled) {
  ok = 0; unit = 0;
  do
  :: ok -> break
  :: else ->
     d_step { lim = limit; seen = window[lim % RING]; filled = window_of[lim % RING] == lim };
     if
     :: lim >= recycled + RING -> unit = 0; break      /* slot_is_free(); stays in hand */
     :: else -> skip
     fi;
     if
     :: !filled && unit == 0 ->
        d_step { if                                    /* unit_pop_ready() */
        :: ready_head != ready_tail ->
           unit = ready[ready_head % QUEUE]; ready_head++
        :: ready_head == ready_tail && unit_next < UNITS ->
           unit_next++; unit = unit_next               /* unit_take_fresh() */
        :: else -> skip
        fi };
        if :: unit == 0 -> break :: else -> skip fi
     :: else -> skip
     fi;
     if
     :: !filled ->                                     /* lane_cmpxchg_own() */
        d_step { if
        :: window[lim % RING] == seen && window_of[lim % RING] != lim ->
           window[lim % RING] = unit; window_of[lim % RING] = lim; seen = unit; unit = 0; ok = 1
        :: else -> skip
        fi }
     :: else -> if :: unit == 0 -> ok = 1 :: else -> skip fi
     fi;
     if
     :: ok || filled ->                                /* segment_publish() */
        slot[lim % RING] = seen;
        d_step { if :: limit == lim -> limit = lim + 1; seen = 0 :: else -> skip fi };
#ifndef FAULT_STALE
        if
        :: seen != 0 && recycled > lim ->
           d_step { if :: slot[lim % RING] == seen -> slot[lim % RING] = 0 :: else -> skip fi }
        :: else -> skip
        fi
#endif
     :: else -> skip
     fi;
     seen = 0; filled = 0
  od;
  seen = 0; filled = 0; lim = 0; unit = 0
}

inline reserve(has, at) {
  d_step { has = position < limit; at = position;
    if :: has -> position++ :: else -> skip fi }
}

inline write_record(has, at, ok, lim, unit, seen, filled) {
  reserve(has, at);
  if
  :: !has -> grow(ok, lim, unit, seen, filled); if :: ok -> reserve(has, at) :: else -> skip fi
  :: else -> skip
  fi;
  if
  :: has && at == 0 -> d_step { home_holds = 1; written++ }
  :: has && at > 0 ->
     assert(window_of[at % RING] == at);               /* lane_at(): not NULL */
     unit = window[at % RING];
     assert(unit != 0);
     d_step { unit_holds[unit] = at + 1; written++ }
  :: else -> skip                                      /* counted: no record */
  fi;
  at = 0; lim = 0; unit = 0; ok = 0; has = 0
}

active proctype writer() provided (!interrupted) {
  byte i, at, lim, unit, seen; bool has, ok, filled;
  do
  :: i < RECORDS -> write_record(has, at, ok, lim, unit, seen, filled); i++
  :: else -> break
  od;
  ended = 1
}

#ifdef HANDLER
active proctype handler() {
  byte i, at, lim, unit, seen; bool has, ok, filled;
  do
  :: atomic { i < HANDLER && !ended -> interrupted = 1 };
     write_record(has, at, ok, lim, unit, seen, filled);
     i++; interrupted = 0
  :: break
  od
}
#endif

inline slot_clear(segment, unit) {
  if :: recycled <= segment -> recycled = segment + 1 :: else -> skip fi;
#ifdef FAULT_SLOT
  slot[segment % RING] = 0
#else
  d_step { if :: slot[segment % RING] == unit -> slot[segment % RING] = 0 :: else -> skip fi }
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
     :: unit == 0 -> slot_clear(segment, unit)
     :: else ->
#ifndef FAULT_JOURNAL
        d_step { recycling = unit; recycling_tail = ready_tail };
#endif
        slot_clear(segment, unit);
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
          segment = recycled;                          /* slot_recover() */
          if
          :: slot[segment % RING] == unit -> slot_clear(segment, unit)
          :: else -> segment--; slot_clear(segment, unit)
          fi;
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
       :: at < end && at > 0 ->
          unit = slot[at % RING];
          assert(unit != 0);                           /* file_offset(): -EBADMSG */
          holds = unit_holds[unit]
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
      segment = 0; unit = 0; holds = 0;
      do :: segment < RING ->
            if :: slot[segment] != 0 ->
                  unit++; assert(!(holds & (1 << slot[segment]))); holds = holds | (1 << slot[segment])
               :: else -> skip fi;
            segment++
         :: else -> break od;
      segment = ready_head;
      do :: segment != ready_tail ->
            unit++; assert(!(holds & (1 << ready[segment % QUEUE])));
            holds = holds | (1 << ready[segment % QUEUE]); segment++
         :: else -> break od;
#ifndef HANDLER
      assert(unit == unit_next)                        /* with it one may stay in hand */
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
