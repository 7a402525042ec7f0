/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands, one file each. */
#pragma once

/* All of them: argv[0] is the subcommand's name, argv[argc] NULL. The exit
 * status: 0 fine, 1 found something, 2 trouble or wrong usage; of `run` that of
 * the command. What is wrong was said on stderr. */
int cmd_run(int argc, char **argv);
int cmd_env(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_suggest(int argc, char **argv);
int cmd_types(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_errors(int argc, char **argv);
int cmd_spans(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_off(int argc, char **argv);
int cmd_on(int argc, char **argv);
int cmd_upload(int argc, char **argv);
int cmd_uploads(int argc, char **argv);
int cmd_sidecar(int argc, char **argv);
int cmd_symbolize(int argc, char **argv);
int cmd_traceparent(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_prune(int argc, char **argv);
int cmd_delete(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_help(int argc, char **argv);
