/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See robust.h. The lane has a mutex as glibc makes one that is robust and
 * shared between processes, and the thread holds it: when the thread ends,
 * however it does, the kernel writes FUTEX_OWNER_DIED to it, and the lane can
 * be taken over.
 *
 * pthread_mutex_lock() would do, but that may be anybody's: a sanitizer
 * reports a mutex it has not seen made, and a lock that is held at the end. So
 * the mutex is put on the thread's robust list as glibc 2.17 and later do it
 * (nptl/descr.h, ENQUEUE_MUTEX): that list is doubly linked, and mutexes of
 * the program come and go beside ours.
 */
#include "preload/call/thread/robust.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/syscall.h>
#include "lane/x86_64/machine.h"
#include "lane/format/assert.h"

enum {
    ROBUST_PSHARED = 16 | 128, /* PTHREAD_MUTEX_ROBUST_NORMAL_NP, pshared */
};

static const long futex_offset =
    (long)offsetof(pthread_mutex_t, __data.__lock) -
    (long)offsetof(pthread_mutex_t, __data.__list.__next);

/* The list entry of which `next` is the __next word: __prev stands before. */
static void **prev_of(void *next)
{
    return (void **)next - 1;
}

void robust_hold(struct lane *lane)
{
    lane_assert(lane >= runtime.map.lanes);
    pthread_mutex_t *mutex = (pthread_mutex_t *)(void *)lane->robust;
    _Static_assert(sizeof(*mutex) <= sizeof(lane->robust), "layout");
    struct robust_list_head *head = NULL;
    unsigned long len = 0;
    if (machine_syscall(SYS_get_robust_list, 0, (long)&head, (long)&len, 0, 0,
                        0) != 0 ||
        head == NULL || len != sizeof(*head) ||
        head->futex_offset != futex_offset)
        return;
    void *self = &mutex->__data.__list.__next;
    void *first = (void *)((uintptr_t)head->list.next & ~(uintptr_t)1);
    lane_assert(first != NULL && first != self);
    mutex->__data.__kind = ROBUST_PSHARED;
    head->list_op_pending = self;
    /* release; pairs with the kernel, which reads it when the thread is gone */
    __atomic_store_n(&mutex->__data.__lock,
                     (int)machine_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0),
                     __ATOMIC_RELEASE);
    *prev_of(first) = self;
    mutex->__data.__list.__next = (void *)head->list.next;
    *prev_of(self) = head;
    /* pairs with the kernel's walk of the list, as the next one does */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    head->list.next = self;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    head->list_op_pending = NULL;
}
