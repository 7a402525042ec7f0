/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that a stripped object has packed in itself (.gnu_debugdata): for us,
 * and in DIR/symbols-UID for the processes that are traced, which unpack
 * nothing. docs/preload.md describes the folder.
 */
#pragma once
#include "tools/cli/program/objects.h"

/* Take them into the object's image. False: there are none. The memory is
 * object->unpacked. */
bool symbols_unpack(struct object *o);
/* Keep those of all objects that the manifest names and no file has the names
 * of, if they are not there already. Not being able to is no error: those names
 * are not found, which the run says. */
void symbols_keep(const char *dir, const struct manifest *manifest,
                  const struct objects *objects);
