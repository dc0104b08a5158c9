/* SPDX-License-Identifier: Apache-2.0 */
/* Signals: sending, delivery, restart rules (signal(7), sigaction(2)). Lock order: tasklist_lock > sig.lock >
 * wait-queue lock. */
#ifndef SIGNAL_SIGNAL_H
#define SIGNAL_SIGNAL_H

#include "task/task.h"

/* Kernel-generated siginfo, without a sender. */
void siginfo_kernel(siginfo_t *si, int signo);
/* SI_USER or SI_TKILL from the current task. */
void siginfo_user(siginfo_t *si, int signo, int code);

/* Queue a signal for a thread or a process. 0 or -EAGAIN (RLIMIT_SIGPENDING, real-time only). Never sleeps.
 * No permission check. */
int signal_send_task(struct task *t, const siginfo_t *si);
int signal_send_process(struct process *p, const siginfo_t *si);
/* From the host. A container's init is not ended by a signal that it does not handle, but for SIGKILL, as on Linux; it is
 * where the container says so, and before its program runs. */
int signal_send_from_host(struct process *p, const siginfo_t *si);
/* Every process of a group; returns how many were found. */
int signal_send_pgrp(int pgid, const siginfo_t *si);
/* The same for callers that hold tasklist_lock (SIGCHLD to a parent, SIGHUP to an orphaned group). */
int signal_send_task_locked(struct task *t, const siginfo_t *si);
int signal_send_process_locked(struct process *p, const siginfo_t *si);
int signal_send_pgrp_locked(int pgid, const siginfo_t *si);
/* May the current task signal p (kill(2))? 0 or -EPERM. */
int signal_permitted(struct process *p, int signo);
/* A synchronous fault of the current task: cannot be ignored or blocked. addr in si_addr. */
void signal_fault(int signo, int code, uint64_t addr, int trapno, uint64_t error);

static inline bool signal_pending(struct task *t) { return READ_ONCE(t->sig.flag_pending) != 0; }
static inline bool fatal_signal_pending(struct task *t) { return READ_ONCE(t->sig.kill_pending); }
/* Recomputes flag_pending of t; caller holds sig.lock. */
void signal_recompute(struct task *t);
/* Wakes t so that it notices (from interruptible sleep, or ring 3); caller holds sig.lock. */
void signal_wake(struct task *t, bool fatal);

/* Before each return to ring 3: stops, exits, or builds a handler frame. Handles -ERESTART* in regs.rax after a
 * system call. */
void signal_deliver(void);

/* Sets the blocked mask of the current task. */
void signal_set_blocked(ksigset_t set);
/* ppoll, pselect, epoll_pwait, sigsuspend: install a mask until the system call has returned and a handler ran. */
void signal_set_temporary(ksigset_t set);

/* clone, exec, exit */
/* t->proc is set. Inherits mask and alternate stack from the current task, if there is one; clone(2) with CLONE_VM but
 * not CLONE_VFORK then calls signal_altstack_reset. */
void task_signal_init(struct task *t);
void signal_altstack_reset(struct task *t);
/* Early in task_exit, without locks: the current task takes no more signals; what was meant for the process goes to
 * another thread, and a group stop does not wait for it any longer. True for exactly one thread of a process: the last. */
bool signal_task_exiting(void);
void task_signal_destroy(struct task *t);
int process_signal_init(struct process *p, const struct process *parent); /* parent NULL: defaults */
void process_signal_destroy(struct process *p);
void process_signal_exec(struct process *p); /* reset handlers, keep ignored ones */

bool signal_is_ignored(struct process *p, int signo);

#endif
