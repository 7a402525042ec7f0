/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of the proof, by name. In the product RULE() is always true. The
 * tests build the same sources with PLAN_MUTABLE, switch off one rule after
 * another and demand that some test case then goes wrong: a rule that nothing
 * misses is either superfluous or not tested.
 */
#pragma once

#define PLAN_RULES(X)                                                          \
    X(ACCESS_ABOVE)      /* an access at or above the CFA */                   \
    X(COPY_STRADDLED)    /* it begins below the CFA */                         \
    X(COPY_FAR)          /* or reaches beyond what is copied */                \
    X(COPY_ALL)          /* all that is touched is copied */                   \
    X(ACCESS_ABOVE_BASE) /* the same through an aligned or alloca base */      \
    X(ACCESS_SIZE)       /* an access starts below the CFA and reaches it */   \
    X(ACCESS_INDEXED)    /* an access at CFA + unknown */                      \
    X(ACCESS_UNSIZED)    /* an access of unknown length */                     \
    X(ADD_UNKNOWN)       /* pointer + unknown is an unknown place */           \
    X(ADD_TWO)           /* pointer + pointer as well */                       \
    X(SCALED_POINTER)    /* pointer * scale */                                 \
    X(REPEATED)          /* rep: as often as rcx says */                       \
    X(BIT_OFFSET)        /* bt with a register reaches far away */             \
    X(LEA_ABOVE)         /* the address of a stack argument is taken */        \
    X(USE_ABOVE)         /* such an address is used */                         \
    X(SPILL_ABOVE)       /* or stored */                                       \
    X(DRAP_ONCE)         /* the one push of the argument pointer */            \
    X(RETURN_SLOT)       /* a pointer to the return address escapes */         \
    X(RETURN_READ)       /* the return address is read */                      \
    X(STORE_INDEXED)     /* a pointer of unknown place is stored */            \
    X(CALL_ABOVE)        /* a pointer to stack arguments is passed */          \
    X(CALL_INDEXED)      /* a pointer of unknown place is passed */            \
    X(CALL_KILLS)        /* a call changes caller-saved registers */           \
    X(SYSCALL_KILLS)     /* and a system call rax */                           \
    X(CALL_INSIDE)       /* a call into the function's own middle */           \
    X(SPILL_KEPT)        /* a spilled pointer is one when loaded again */      \
    X(SPILL_OPERAND)     /* also as memory operand of arithmetic */            \
    X(SPILL_JOINED)      /* and after paths met */                             \
    X(MIXED)             /* computed from a pointer: a pointer somewhere */    \
    X(PARTIAL_WRITE)     /* a write of 8 or 16 bits leaves a pointer */        \
    X(CMOV_JOINS)        /* cmov may leave either value */                     \
    X(VECTOR)            /* pointers that pass through a vector register */    \
    X(CALLER_RBP)        /* the caller's rbp is used */                        \
    X(JOIN_WIDENS)       /* a loop moves a pointer: unknown place */           \
    X(JOIN_SYMBOLS)      /* bases of two kinds meet */                         \
    X(CFI_AGREES)        /* unwind rows and tracking say the same */           \
    X(CFI_EXPRESSION)    /* also where the CFA is read from the stack */       \
    X(RSP_UNKNOWN)       /* rsp is loaded from who knows where */              \
    X(RET_POPS)          /* ret n */                                           \
    X(RET_LEVEL)         /* ret with rsp elsewhere than at the return slot */  \
    X(INDIRECT_JUMP)     /* a jump through a register that leads anywhere */   \
    X(INDIRECT_TAIL)     /* a tail jump that leads anywhere */                 \
    X(TAIL_PROVED)       /* a tail jump's target needs the proof as well */    \
    X(TAIL_SLOT)         /* also through the GOT */                            \
    X(TAIL_ASKS)         /* the target asks who called it */                   \
    X(SLOT_WRITABLE)     /* and only through a slot that stays as it is */     \
    X(LANDING_PADS)      /* code that only an exception reaches */             \
    X(TABLE_WRITABLE)    /* and only of one that stays as it is */             \
    X(JUMP_TABLES)       /* every entry of a jump table */                     \
    X(OTHER_PARTS)       /* code outside the function that it jumps to */      \
    X(CONDITIONAL)       /* both ways of a conditional branch */               \
    X(UNDECODABLE)       /* bytes that are no instruction */                   \
    X(STRANGE)           /* instructions whose effect is not modelled */

enum plan_rule {
#define PLAN_RULE_ENUM(name) RULE_##name,
    PLAN_RULES(PLAN_RULE_ENUM)
#undef PLAN_RULE_ENUM
    RULE_COUNT,
};

#ifdef PLAN_MUTABLE
extern int plan_rule_off; /* enum plan_rule, -1: none */
#define RULE(name) (plan_rule_off != RULE_##name)
#else
#define RULE(name) 1
#endif
