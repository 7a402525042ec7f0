/* SPDX-License-Identifier: Apache-2.0 */
/* handspan help, handspan version. */
#include "tools/cli/command/commands.h"
#include "tools/common/options.h"
#include <elf.h>
#include <link.h>
#include <stdio.h>

static const char text[] =
    "handspan: where the time of a native program goes, by the handlers that\n"
    "a manifest names; without touching its source.\n"
    "\n"
    "  handspan run [-m MANIFEST] [--] COMMAND...   run a command, traced\n"
    "  handspan traceparent                         one trace for steps "
    "started apart\n"
    "  handspan check -m MANIFEST PROGRAM           what will be bound, and "
    "how\n"
    "  handspan suggest PROGRAM [GLOB...]           a draft manifest\n"
    "  handspan types PROGRAM                       what debug information "
    "adds\n"
    "  handspan env [-m MANIFEST]                   exports for a shell, to "
    "eval\n"
    "\n"
    "  handspan list                                traces, newest first\n"
    "  handspan show [TRACE]                        one trace as a waterfall\n"
    "  handspan stats [TRACE]                       its handlers in figures\n"
    "  handspan errors [GROUP]                      what failed, and why\n"
    "  handspan diff [A [B]]                        what changed between "
    "runs\n"
    "  handspan spans [TRACE]                       its calls, one a line\n"
    "  handspan top                                 what is open now, "
    "everywhere\n"
    "  handspan look PID                            where its threads are "
    "now\n"
    "\n"
    "  handspan serve                               the same in the browser\n"
    "  handspan report [TRACE] -o FILE              a trace as one page to "
    "mail\n"
    "  handspan export [TRACE]                      OTLP, Perfetto, Chrome, "
    "CSV\n"
    "  handspan schema KIND                         the SQL of the tables\n"
    "  handspan doctor                              what stands in the way "
    "here\n"
    "  handspan status                              sidecar, sessions, losses\n"
    "  handspan upload                              send what the store has\n"
    "  handspan uploads                             where spans are sent, and "
    "what was refused\n"
    "  handspan symbolize [TRACE]                   names that come later\n"
    "  handspan prune                               take old traces out\n"
    "  handspan delete TRACE                        delete for good\n"
    "  handspan config                              settings, and where from\n"
    "  handspan off [PID|--all] | on [PID|--all]    stop and resume recording\n"
    "  handspan sidecar                             bring sessions into the "
    "store\n"
    "  handspan version\n"
    "\n"
    "TRACE is a hex prefix (4 digits or more), latest, latest~N or a\n"
    "traceparent. 'handspan help COMMAND' tells the options of a command;\n"
    "--json prints one object a line. On a terminal screens go through\n"
    "$HANDSPAN_PAGER, $PAGER or less; none where that is empty or cat. Exit\n"
    "status: 0 fine; 1 nothing matched, or something is amiss (as its help\n"
    "says); 2 trouble; run returns the command's own.\n";

int cmd_help(int argc, char **argv)
{
    (void)argc, (void)argv;
    fputs(text, stdout);
    return EXIT_FINE;
}

/* The note that the linker gave this very file; ends at the first object. */
static int put_build_id(struct dl_phdr_info *self, size_t size, void *unused)
{
    (void)size, (void)unused;
    for (int i = 0; i < self->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &self->dlpi_phdr[i];
        const char *at = (const char *)self->dlpi_addr + p->p_vaddr;
        const char *end = at + p->p_memsz;
        while (p->p_type == PT_NOTE && at + sizeof(ElfW(Nhdr)) <= end) {
            const ElfW(Nhdr) *note = (const void *)at;
            const unsigned char *id = (const unsigned char *)(note + 1) +
                                      (note->n_namesz + 3) / 4 * 4;
            if (note->n_type == NT_GNU_BUILD_ID)
                fputs(" build ", stdout);
            for (unsigned n = 0;
                 note->n_type == NT_GNU_BUILD_ID && n < note->n_descsz; n++)
                printf("%02x", id[n]);
            at = (const char *)id + (note->n_descsz + 3) / 4 * 4;
        }
    }
    return 1;
}

int cmd_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    fputs("handspan " HANDSPAN_VERSION, stdout);
    dl_iterate_phdr(put_build_id, NULL);
    putchar('\n');
    return EXIT_FINE;
}
