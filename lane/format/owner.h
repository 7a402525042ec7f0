/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of processes, and the word that says who has a lane.
 *
 * A process has a number, its place in the table is the number's remainder: a
 * place is taken again once its process is gone and stored, under the next
 * number that belongs to it. So a number names one process of a session for
 * good; a place does not.
 *
 * The owner word of a lane is generation << 32 | owner; the owner is the number
 * of a process + 1, 0: nobody. Each claim counts the generation up, so a word
 * that was judged stands for one owner only: who claims a lane or sets it free
 * does it by exchanging the word that it saw.
 *
 *   0 -> process + 1                    lane_take(), any process
 *   process + 1 -> another one's        the same: its thread died, the kernel
 *                                       marked `robust`, no span is open
 *   process + 1 -> 0                    lane_release(), the owner
 *   process + 1 -> LANE_OWNER_SIDECAR   lane_keeper_free(): it is dead, and all
 *                                       that it wrote is stored
 *   LANE_OWNER_SIDECAR -> 0             the same, or the sidecar after it
 */
#pragma once
#include "lane/format/layout.h"

#define LANE_PROCESS_SLOT(number)       ((uint32_t)(number) % LANE_PROCESS_MAX)
#define LANE_PROCESS_GENERATION(number) ((uint32_t)(number) / LANE_PROCESS_MAX)
#define LANE_PROCESS_NUMBER(generation, slot)                                  \
    ((uint32_t)(generation)*LANE_PROCESS_MAX + (uint32_t)(slot))
enum {
    LANE_GENERATION_MAX = (1 << 18) - 1, /* numbers are below 2^30 */
};

#define LANE_OWNER(generation, owner)                                          \
    ((uint64_t)(generation) << 32 | (uint32_t)(owner))
#define LANE_OWNER_GENERATION(word) ((uint32_t)((uint64_t)(word) >> 32))
#define LANE_OWNER_WHO(word)        ((uint32_t)(word))
#define LANE_OWNER_SIDECAR          0xffffffffu
