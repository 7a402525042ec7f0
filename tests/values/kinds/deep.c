// SPDX-License-Identifier: Apache-2.0
// Calls deeper than there are entries of open ones have their values and rules
// as well, also what stands in vector registers.
//@ build: gcc -O1 -g -fno-optimize-sibling-calls -o p p.c
//@ manifest: [[span, input(text), fails(return % 7 == 0, return)]] int down(int depth, double half, const char *text);
//@ expect: len(of("down")) == 600
//@ expect: sorted(s["input"]["depth"] for s in of("down")) == list(range(600))
//@ expect: all(s["input"]["half"] == s["input"]["depth"] / 2 and s["input"]["text"] == "t%d" % s["input"]["depth"] for s in of("down"))
//@ expect: all(s["output"]["return"] == 599 - s["input"]["depth"] for s in of("down"))
//@ expect: all((s["status"] == "error") == (s["output"]["return"] % 7 == 0) for s in of("down"))
//@ expect: all(not s["capture"] for s in of("down"))
#include <stdio.h>

__attribute__((noinline)) int down(int depth, double half, const char *text)
{
    char next[16];
    snprintf(next, sizeof next, "t%d", depth + 1);
    return depth == 599 ? 0 : 1 + down(depth + 1, half + 0.5, next);
}

int main(void)
{
    return down(0, 0, "t0") != 599;
}
