/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For test_breakpoint.py: functions whose first instructions are of one to six
 * bytes, and breakpoints that are set on them after the start.
 *
 *   breakpoint restore   what is left when one was taken away: the file's first
 *                        byte, put there by the program itself
 *   breakpoint wait      a round of calls for each line that is read
 *   ... own              with a handler of its own for SIGILL
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUNCTION(name, code)                                                   \
    long name(long n);                                                         \
    __asm__(".text\n .balign 16\n .globl " #name "\n .type " #name             \
            ", @function\n" #name ":\n .cfi_startproc\n" code                  \
            "\n ret\n .cfi_endproc\n .size " #name ", . - " #name "\n")

/* Each returns 3n + 1. */
FUNCTION(one, "push %rbx\n mov %rdi, %rbx\n lea 1(%rbx,%rdi,2), %rax\n"
              "pop %rbx");
FUNCTION(two, "push %r12\n mov %rdi, %r12\n lea 1(%r12,%rdi,2), %rax\n"
              "pop %r12");
FUNCTION(three, "mov %rdi, %rax\n add %rdi, %rax\n lea 1(%rax,%rdi), %rax");
FUNCTION(four, "lea (%rdi,%rdi), %rax\n lea 1(%rax,%rdi), %rax");
FUNCTION(five, "mov $0xd0000001, %eax\n sub $0xd0000000, %eax\n"
               "add %rdi, %rax\n lea (%rax,%rdi,2), %rax");
FUNCTION(six, ".byte 0x81, 0xef, 0, 0, 0xd0, 0\n add $0xd00000, %edi\n"
              "movslq %edi, %rdi\n lea 1(%rdi,%rdi,2), %rax");

static const struct {
    long (*call)(long n);
    uint8_t first;
} functions[] = {{one, 0x53},  {two, 0x41},  {three, 0x48},
                 {four, 0x48}, {five, 0xb8}, {six, 0x81}};
enum {
    COUNT = sizeof(functions) / sizeof(*functions)
};

static volatile sig_atomic_t own_count;

static void on_illegal(int signal)
{
    (void)signal;
    own_count++;
    _exit(9);
}

static void restore_first_bytes(void)
{
    int fd = open("/proc/self/mem", O_RDWR);
    for (int i = 0; i < COUNT; i++)
        if (pwrite(fd, &functions[i].first, 1, (off_t)functions[i].call) != 1)
            exit(3);
    close(fd);
}

static int is_right(void)
{
    for (long n = -50; n < 50; n++)
        for (int i = 0; i < COUNT; i++)
            if (functions[i].call(n) != 3 * n + 1)
                return 0;
    return 1;
}

int main(int argc, char **argv)
{
    char line[16];
    if (argc > 2)
        signal(SIGILL, on_illegal);
    printf("%d\n", is_right());
    fflush(stdout);
    if (argc > 1 && strcmp(argv[1], "restore") == 0) {
        restore_first_bytes();
        printf("%d %d\n", is_right(), (int)own_count);
        return 0;
    }
    while (fgets(line, sizeof(line), stdin)) {
        printf("%d %d\n", is_right(), (int)own_count);
        fflush(stdout);
    }
    return 0;
}
