/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libpq, loaded with the first connection: it brings Kerberos and LDAP along,
 * which `handspan run` and a sidecar without a database have no use for. For
 * connection.c alone; its functions have their own names here.
 */
#pragma once
#include <libpq-fe.h>

#define LIBPQ_FUNCTIONS(X)                                                     \
    X(PQclear)                                                                 \
    X(PQconnectPoll)                                                           \
    X(PQconnectStartParams)                                                    \
    X(PQconnectionNeedsPassword)                                               \
    X(PQconsumeInput)                                                          \
    X(PQerrorMessage)                                                          \
    X(PQfinish)                                                                \
    X(PQflush)                                                                 \
    X(PQgetResult)                                                             \
    X(PQgetvalue)                                                              \
    X(PQisBusy)                                                                \
    X(PQntuples)                                                               \
    X(PQputCopyData)                                                           \
    X(PQputCopyEnd)                                                            \
    X(PQresultErrorField)                                                      \
    X(PQresultStatus)                                                          \
    X(PQsendQuery)                                                             \
    X(PQsendQueryParams)                                                       \
    X(PQsetNoticeProcessor)                                                    \
    X(PQsetnonblocking)                                                        \
    X(PQsocket)                                                                \
    X(PQstatus)

struct libpq {
#define LIBPQ_MEMBER(name) __typeof__(&name) name;
    LIBPQ_FUNCTIONS(LIBPQ_MEMBER)
#undef LIBPQ_MEMBER
};

/* Once for the process, however often it is called. NULL: there is none, or
 * it lacks something. Not for two threads at once. */
const struct libpq *libpq_load(void);
/* What the loader said when it returned NULL; until the next call. */
const char *libpq_why(void);
