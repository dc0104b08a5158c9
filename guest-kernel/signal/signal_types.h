/* SPDX-License-Identifier: Apache-2.0 */
/* Signal state embedded in tasks and processes. Protected by proc->sig.lock unless said otherwise. */
#ifndef SIGNAL_SIGNAL_TYPES_H
#define SIGNAL_SIGNAL_TYPES_H

#include <asm/siginfo.h>
#include <asm/signal.h>

#include "lib/list.h"
#include "task/wait_queue.h"

#define NSIG_ 64
typedef uint64_t ksigset_t; /* bit n-1: signal n */
#define SIGBIT(n) (1ULL << ((n) - 1))

/* struct sigaction as rt_sigaction(2) passes it */
struct k_sigaction {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	ksigset_t mask;
};

struct sig_pending {
	ksigset_t set;
	struct list_node queue; /* of struct sigqueue, in order */
};

struct task_signal {
	ksigset_t blocked;            /* own task writes under lock */
	ksigset_t saved_mask;         /* sigsuspend, ppoll: restored when no handler runs */
	bool restore_mask;
	ksigset_t real_blocked;       /* sigtimedwait */
	struct sig_pending pending;   /* thread-directed */
	uint32_t flag_pending;        /* atomic hint: something to do before ring 3 (recomputed by signal code) */
	uint64_t altstack_sp, altstack_size;
	uint32_t altstack_flags;
	bool stop_pending;            /* must take part in a group stop */
	bool kill_pending;            /* SIGKILL or group exit: leave at once */
	bool stop_dequeued;           /* took a stop signal; SIGCONT or SIGKILL clears it */
	bool exiting;                 /* takes no more signals */
	uint64_t trapno, trap_error, trap_addr; /* last fault, for the signal frame; own task only */
};

struct process_signal {
	spinlock_t lock;
	struct k_sigaction action[NSIG_];
	struct sig_pending shared;
	bool group_stop;              /* a stop is in progress or in effect */
	int group_stop_signo;
	int group_stop_left;          /* threads that still have to stop */
	bool group_exit;              /* set by exit_group or a fatal signal */
	int group_exit_status;        /* wait status */
	uint32_t nr_queued;           /* siginfo records queued, for RLIMIT_SIGPENDING; atomic */
	bool unkillable_cleared;      /* a forced fault lifted init's protection */
	struct wait_queue signalfd_wait; /* poll on signalfd, sigtimedwait */
};

#endif
