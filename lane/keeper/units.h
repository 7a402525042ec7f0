/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between keeper.c and units.c: units that a death left on their way. As
 * keeper.h: one sidecar, single-threaded, killed at any step.
 */
#pragma once
#include "lane/keeper/keeper.h"

/* Finish what a killed predecessor had begun with the one unit that
 * session.recycling names. Before anything else is given back. */
void journal_recover(struct lane_keeper *keeper,
                     const struct lane_reader *reader);
/* Give back units that no queue, lane or journal has, if there may be any
 * (keeper->has_lost) and no thread is taking one now. */
void units_recover(struct lane_keeper *keeper);
