/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was decided for functions, remembered for the processes to come: how
 * the entry is patched, and by which trampoline its calls are carried. A
 * process whose functions are all known decodes no instruction.
 *
 * Only what can be done is kept, never a refusal, which has its reason found
 * again. A plan is of the very file that is mapped (preload/objects/kept.h) and
 * of the bytes that stand where the jump goes: they are compared. Proofs that
 * went through imports hold as long as those lead where they led.
 *
 * A round is between plans_begin() and plans_end(); outside of one nothing is
 * known. [constructor, loader's notification]
 */
#pragma once
#include "preload/bind/bind_work.h"

/* Look for plans from now on. */
HIDDEN void plans_begin(void);
/* Keep what is new, forget all. */
HIDDEN void plans_end(void);
/* Is there a plan of it? */
HIDDEN bool plans_is_known(const struct work *work);
/* The plan of the function at work->vaddr, made for `island`, if it is known
 * and what stands there is what was planned: verdict and copy are those of
 * plan_entry_patch(). */
HIDDEN bool plans_find(struct work *work, uint64_t island);
/* And its trampoline: 0, or how the proof ended. LANE_SHIM_ZERO_COPY: it was
 * not proved. */
HIDDEN enum lane_shim plans_find_shim(struct work *work);
/* A proof begins: what it asks of imports is noted by plans_note_slot(). */
HIDDEN void plans_prove(const struct work *work);
HIDDEN void plans_note_slot(const struct module *from, uint64_t slot,
                            const struct module *to, uint64_t vaddr);
/* Its plan, and the trampoline if there was a proof (else `shim` 0). */
HIDDEN void plans_note(const struct work *work, enum lane_shim shim);
/* Has it no other name than work->name, as far as is known (bind/twins.h)? Of
 * one that is planned that is kept, too. */
HIDDEN bool plans_is_alone(const struct work *work);
HIDDEN void plans_note_alone(const struct work *work);
