/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp(2) of applications: filters that a program installs on itself. */
#ifndef TASK_SECCOMP_H
#define TASK_SECCOMP_H

#include "syscall/syscall.h"
#include "task/task.h"

/* Before a system call of a task with seccomp_mode != 0. True: go on with the call. False: it was answered (rax, a
 * signal) instead; may not return at all. */
bool seccomp_check(uint64_t nr, const struct sysargs *a);
/* clone: the child gets the parent's filters; exit drops them. */
void seccomp_fork(struct task *child, struct task *parent);
void seccomp_put(struct task *t);
/* Filters in force, for /proc. */
uint32_t seccomp_filter_count(struct task *t);
/* A filter from a program of the host's (bytes of struct sock_filter), with one reference; ERR_PTR. */
struct seccomp_filter *seccomp_filter_create(const void *program, uint32_t bytes, bool log);
void seccomp_filter_put(struct seccomp_filter *f); /* NULL is none */
/* The current task, which has none, comes under the filter. */
void seccomp_adopt(struct seccomp_filter *f);
/* prctl(PR_SET_SECCOMP), seccomp(2). */
int64_t seccomp_set_mode(uint32_t op, uint32_t flags, uva_t args);

#endif
