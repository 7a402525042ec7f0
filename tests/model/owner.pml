/* SPDX-License-Identifier: Apache-2.0
 *
 * Who has a lane (lane/format/owner.h). Processes come one after another or at once,
 * each with one thread; a thread may die in a process that lives on.
 *
 *   PROCESS   lane_claim(), owner_is_dead(), lane_start() of lane/writer/take.c,
 *             arm_robust() of preload/call/thread/thread.c, calls, its end; what the kernel
 *             does to the robust word then
 *   SIDECAR   finish_gone() and lane_look() judge, after the commit
 *             session_give_back() calls lane_keeper_free(), lane_clear() of
 *             lane/keeper/keeper.c; killed at any step and replaced (-DKILLS=n):
 *             free_recover()
 *   fork      (-DFORKS=n) by a signal handler, wherever signals are not held
 *             back: the child begins anew, with a place of its own
 *             (process_register_child(), thread_attach() of preload)
 *
 * Faults to be found: -DFAULT_JUDGE frees the word that it finds instead of the
 * one that it judged; -DFAULT_STALE takes the kernel's mark for whoever has the
 * lane; -DFAULT_MARK frees without the mark of its own; -DFAULT_FORK has no
 * signals held back while a lane is claimed: the child goes on with it, too
 * (span_get_lane(); the program lane.forked does the same).
 *
 * Not covered: numbers that are given twice (2^18 generations of a place), more
 * than one lane.
 */
#ifndef PROCESSES
#define PROCESSES 3
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef FORKS
#define FORKS 0
#endif
#define SIDECAR 15
#define DIED 1

byte owner_who, owner_generation;   /* one word: always together */
byte armed;                         /* lane.generation */
byte robust, depth;
bool dead[PROCESSES + FORKS + 1];
/* what is true */
byte threads;                       /* that hold the lane as theirs */
byte ended, kills, sidecar_number, forks;

/* `mine`, `generation`: what a child goes on with. */
#define MAY_FORK(mine, generation) \
  if :: atomic { forks < FORKS -> forks++; \
        run process(PROCESSES + forks, mine, generation) } \
  :: skip fi

proctype process(byte me; bool mine; byte generation) {
  byte who, mark; bool is_dead_one;
  if :: mine -> goto claimed :: else -> skip fi;
  MAY_FORK(0, 0);
  who = owner_who + 16 * owner_generation;             /* one load */
  generation = who / 16; who = who % 16;
  if
  :: who == 0 -> is_dead_one = 1
  :: who != 0 && who != SIDECAR ->                     /* owner_is_dead() */
#ifndef FAULT_STALE
     mark = armed;
#else
     mark = generation;
#endif
     is_dead_one = (robust == DIED && mark == generation && depth == 0)
  :: who == SIDECAR -> skip
  fi;
  if
  :: is_dead_one ->
     d_step { if
     :: owner_who == who && owner_generation == generation ->
        owner_who = me; owner_generation = generation + 1; mine = 1
     :: else -> skip
     fi }
  :: else -> skip
  fi;
claimed:
#ifdef FAULT_FORK
  MAY_FORK(mine, generation);
#endif
  if
  :: !mine -> skip
  :: else ->
     d_step { threads++; assert(threads == 1) };       /* two in one lane */
     robust = 0;
     armed = generation + 1;                           /* lane_start() */
     if
     :: depth = 1;                                     /* a call is open */
        assert(depth == 1 && owner_who == me);
        MAY_FORK(0, 0);
        if :: depth = 0 :: skip fi                     /* or dies in it */
     :: skip
     fi;
     d_step { threads--; robust = DIED; dead[me] = 1 } /* the kernel's mark */
  fi;
  d_step { dead[me] = 1; ended++ }
}

inline lane_clear(generation) {
  depth = 0;
  robust = 0;
  d_step { owner_who = 0; owner_generation = generation }
}

proctype sidecar(byte number) {
  byte who, generation; bool is_ours;
  {
    who = owner_who + 16 * owner_generation;           /* free_recover() */
    generation = who / 16; who = who % 16;
    if :: who == SIDECAR -> lane_clear(generation) :: else -> skip fi;
    do
    :: who = owner_who + 16 * owner_generation;        /* finish_gone() */
       generation = who / 16; who = who % 16;
       if
       :: who != 0 && who != SIDECAR && dead[who] ->
#ifdef FAULT_JUDGE
          who = owner_who + 16 * owner_generation;
          generation = who / 16; who = who % 16;
#endif
          d_step { is_ours = 0; if                     /* lane_keeper_free() */
          :: owner_who == who && owner_generation == generation && who != 0 ->
#ifdef FAULT_MARK
             owner_who = 0;
#else
             owner_who = SIDECAR;
#endif
             is_ours = 1
          :: else -> skip
          fi };
          if :: is_ours -> lane_clear(generation) :: else -> skip fi;
          is_ours = 0
       :: else -> skip
       fi;
       who = 0; generation = 0
    :: owner_who == 0 && ended == PROCESSES + forks -> break
    od
  } unless { number != sidecar_number }
}

init {
  byte i = 1;
  atomic { run sidecar(0); do :: i <= PROCESSES -> run process(i, 0, 0); i++ :: else -> break od };
  do
  :: kills < KILLS -> d_step { kills++; sidecar_number++ }; run sidecar(kills)
  :: break
  od
}
