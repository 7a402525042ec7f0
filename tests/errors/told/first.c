// SPDX-License-Identifier: Apache-2.0
/* The fault is in what the patch of list_sum moved. */
#include <stddef.h>
struct list {
    struct list *next;
    int value, more;
};
__attribute__((noinline)) int list_sum(struct list *l)
{
    return l->value * 5 + l->more; /* line 10 */
}
int main(int c, char **v)
{
    (void)v;
    return list_sum(c > 1 ? &(struct list){NULL, 1, 2} : NULL);
}
