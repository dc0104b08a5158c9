/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ptrace(2) for applications: one thread (the tracer) watches another (the tracee), which stops at signals, system calls
 * and events until it is told to go on.
 *
 * Locks: everything in struct task_ptrace is protected by tasklist_lock, but for trap (sig.lock) and what the tracee
 * itself reads racily as a hint. While a tracee is in TASK_TRACED, its registers and FPU area belong to the tracer.
 */
#ifndef TASK_PTRACE_H
#define TASK_PTRACE_H

#include <asm/siginfo.h>

#include "lib/list.h"

struct task;
struct process;
struct user_regs;
struct sysargs;

enum ptrace_trap {
	PTRACE_TRAP_NONE,
	PTRACE_TRAP_STOP,  /* PTRACE_INTERRUPT, a new seized child, or the end of a listened-to group stop: PTRACE_EVENT_STOP */
	PTRACE_TRAP_GROUP, /* it was in a group stop when it was attached to */
};

struct task_ptrace {
	struct task *tracer;       /* NULL: not traced. Lives as long as the link: both ends cut it when they exit */
	struct list_node link;     /* on the tracer's tracees */
	struct list_node tracees;
	uint32_t options;          /* PTRACE_O_* */
	bool seized;
	uint8_t trap;              /* enum ptrace_trap: to stop for before ring 3; sig.lock */
	bool listening;            /* PTRACE_LISTEN: stopped, but not to be told anything else */
	bool syscalls;             /* stop at the next entry into or return from a system call */
	bool step;                 /* stop after one instruction */
	bool entry;                /* the system call stop is the one before the call */
	int code;                  /* what wait(2) is to report (status >> 8), 0: nothing new */
	int stop_code;             /* of the stop it is in */
	int data;                  /* signal to go on with */
	uint64_t message;          /* PTRACE_GETEVENTMSG */
	siginfo_t *info;           /* of the stop, on the tracee's stack; NULL: a group stop */
};

/* The end of a traced thread that is no child of its tracer's process; tasklist_lock. */
struct ptrace_notice {
	struct list_node link; /* on the tracer's process */
	int tid, status;       /* wait status */
	uint32_t uid;
};

void ptrace_task_init(struct task *t);

/* ---- the tracee: called by the current task, without locks; all may sleep in a stop ---- */
/* A signal was taken: the one to deliver instead, with *info to match, or 0. */
int ptrace_signal(int signo, siginfo_t *info);
/* t->ptrace.trap is set. */
void ptrace_trap(void);
/* It takes part in a group stop, which has been counted already. */
void ptrace_group_stop(int signo);
void ptrace_syscall_stop(bool entry);
void ptrace_event(int event, uint64_t message);
void ptrace_exec(int old_tid);
/* Which PTRACE_EVENT_ a clone causes, 0 for none. */
int ptrace_clone_event(uint64_t flags, int exit_signal);
/* The child is to be traced like its parent; tasklist_lock and its sig.lock held, it does not run yet. */
void ptrace_link_child(struct task *child);
static inline bool ptrace_wants(const struct task_ptrace *p, int event)
{
	return p->tracer && (p->options & 1u << event);
}

/* ---- others; tasklist_lock held ---- */
/* SIGCONT: a seized thread tells its tracer, even if it was not stopped; sig.lock held, too. */
void ptrace_continued(struct task *t);
/* A thread leaves its process: what it traced runs free. last: the process ends with it. */
void ptrace_exit(struct task *t, bool last, int status);
/* Cuts the link of a tracee. */
void ptrace_unlink(struct task *t);
/* An empty queue at the end of a process. */
void ptrace_drop_notices(struct process *p);

#endif
