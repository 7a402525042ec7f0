/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long `run` waits for the store after its command ended: as long as the
 * sidecar gets on with what is there. An interrupt ends the waiting, not the
 * storing.
 */
#pragma once
#include <stdbool.h>
#include "tools/cli/launch/await.h"

struct patience {
    struct await *await; /* of the trace; NULL: of none */
    bool is_quiet;       /* say nothing */
    bool has_line;       /* out: of the terminal */
    int64_t begun_ms, looked_ms, moved_ms;
    uint64_t bytes; /* to be stored, when it was looked */
};

/* The command ended: from now on SIGINT, SIGQUIT, SIGTERM and SIGHUP end the
 * waiting, where they are not ignored, and a keyboard's signal that came before
 * was the command's. While signals are blocked (child_run()'s `ended`). */
void patience_catch(void);
/* Did one of them come? */
bool patience_is_interrupted(void);

/* From now on; `await` stays. */
void patience_begin(struct patience *patience, struct await *await,
                    bool is_quiet);
/* Go on waiting? For `limit_ms` after the sidecar got on last. After a moment
 * it says, on a terminal, how much is to be stored; elsewhere, once, that it
 * takes long. */
bool patience_lasts(struct patience *patience, int64_t limit_ms);
/* What a terminal shows of it goes; signals do what they did. */
void patience_end(struct patience *patience);
