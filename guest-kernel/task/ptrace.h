/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ptrace(2): one task observes and controls another. The tracer is a task; its tracees are on a list, which holds a
 * reference on each. All of it is protected by tasklist_lock, unless said otherwise; registers of a tracee belong to the
 * tracer while it is stopped.
 */
#ifndef TASK_PTRACE_H
#define TASK_PTRACE_H

#include <asm/siginfo.h>

#include "lib/list.h"

struct task;
struct process;

enum ptrace_mode { PTRACE_RUN, PTRACE_RUN_SYSCALL, PTRACE_RUN_SYSEMU };

struct task_ptrace {
	struct task *tracer;      /* NULL: not traced; own task reads it without the lock as a hint */
	struct list_node link;    /* on tracer->ptrace.tracees */
	struct list_node tracees;
	uint32_t options;         /* PTRACE_O_* */
	uint8_t mode;             /* enum ptrace_mode: what the tracer resumed it with */
	bool seized;
	bool privileged;          /* the tracer had CAP_SYS_PTRACE when it attached */
	bool stopped;             /* in a stop */
	bool listening;           /* PTRACE_LISTEN: stopped, but SIGCONT is reported */
	bool notify;              /* seized: a SIGCONT came since the last PTRACE_EVENT_STOP began; sig.lock */
	bool interrupt;           /* to stop with PTRACE_EVENT_STOP; also sig.lock */
	bool ended;               /* a thread that has exited, kept for its tracer to wait for */
	bool step;                /* resumed with PTRACE_SINGLESTEP */
	bool step_flag;           /* the trap flag in its registers is ours */
	bool has_info;
	int report;               /* stop to be waited for: signal | event << 8; 0 none */
	int inject;               /* signal that the tracer resumed it with */
	uint64_t message;         /* PTRACE_GETEVENTMSG */
	siginfo_t info;           /* of the present stop; what is left in it is delivered */
};

void ptrace_init_task(struct task *t);

/* ---- stops of the current task; without locks, may sleep ---- */
/* A signal was taken from the queue: the one to deliver instead, 0 none. */
int ptrace_signal(int signo, siginfo_t *si);
/* Instead of a job-control stop. */
void ptrace_group_stop(void);
/* PTRACE_INTERRUPT and the first stop of a seized child. */
void ptrace_interrupt_stop(void);
/* A stop with PTRACE_EVENT_x if the tracer asked for it. */
void ptrace_event(unsigned event, uint64_t message);
static inline bool ptrace_wants(const struct task_ptrace *p, unsigned event) { return p->tracer && p->options >> event & 1; }
/* False: the call is not to be made. Number and arguments may have changed. */
bool ptrace_syscall_enter(struct task *t);
void ptrace_syscall_exit(struct task *t);
/* SECCOMP_RET_TRACE. False: nobody traces. */
bool ptrace_seccomp(uint16_t data);
/* exec has succeeded; old_tid: number of the thread that called it. */
void ptrace_exec(int old_tid);
/* A handler's frame is about to be built: true if the tracer is single-stepping, which ends here. */
bool ptrace_handler_begins(struct task *t);
void ptrace_handler_ready(struct task *t);

/* ---- tasklist_lock held ---- */
/* The event a new task is, or 0. */
unsigned ptrace_clone_event(uint64_t flags, int exit_signal);
/* A task was linked: it may be traced from its birth. Locks of the signal code are not held. */
void ptrace_fork(struct task *child, uint64_t flags, unsigned event);
/* Takes t off its tracer's list without waking it; the list's reference is the caller's now (or NULL: not traced). */
struct task *ptrace_unlink(struct task *t);
/* The tracer leaves: its tracees go on. Tasks to be put are linked to drop by ptrace.link. */
void ptrace_release_all(struct task *tracer, struct list_node *drop);
void ptrace_put_dropped(struct list_node *drop); /* without locks */
/* Tells the tracer that t ended; t is a thread or the leader of a zombie. */
void ptrace_notify_ended(struct task *t, int status);

/* May the current task trace t (PTRACE_MODE_ATTACH_REALCREDS)? Without locks; an exec changes it at any time, but not while
 * proc->execs is 0 and tasklist_lock is held. */
bool ptrace_may_access(struct task *t);
/* The same by the file system ids, as for /proc. */
bool ptrace_may_access_fs(struct task *t);
/* t's address space or descriptors, with a reference, if the current task may look at them (fs: by the file system ids): or
 * NULL, if it has none, or ERR_PTR(-EPERM). Asked and taken at once, so that they are not those of a program which t
 * becomes meanwhile. */
struct mm *ptrace_get_mm(struct task *t, bool fs);
struct files *ptrace_get_files(struct task *t, bool fs);
/* A traced program gains no rights by exec, unless the tracer has them all. */
bool ptrace_blocks_rights(const struct task *t);

#endif
