/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules on a program's exit status, asked once at start for all 256
 * statuses: how the process ends is often known to others alone (a reaper, the
 * kernel), and they have no manifest.
 *
 * Runs in the constructor.
 */
#include "preload/start/exit_rules.h"

#include "manifest/run/eval.h"

static bool is_error(const struct manifest_program *program, int status)
{
    struct manifest_env env = {.is_leave = true, .exit_status = status};
    for (uint32_t i = 0; i < program->fails_count; i++) {
        if (manifest_eval_condition(program->fails[i].condition, &env))
            return true;
    }
    return false;
}

static void put_one(struct lane_session *session,
                    const struct manifest_program *program)
{
    for (int status = 0; status < 256; status++) {
        if (is_error(program, status))
            session->exit_errors[status / 8] |= (uint8_t)(1 << status % 8);
    }
    session->has_exit_rules = 1;
}

void exit_rules_put(struct lane_session *session,
                    const struct manifest *manifest, const char *program)
{
    for (uint32_t i = 0; manifest && i < manifest->program_count; i++) {
        const struct manifest_program *rule = &manifest->programs[i];
        if (rule->fails_count > 0 &&
            manifest_match_glob(rule->pattern, program))
            put_one(session, rule);
    }
}
