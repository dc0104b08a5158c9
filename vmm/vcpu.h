/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vCPU threads: each runs the Sentry on the Sentry's own stacks and comes back to its host stack for hostcalls and ring 3.
 *
 * State of a vCPU, as a kicker sees it:
 *   OFF     no thread yet
 *   SENTRY  in the Sentry or in a hostcall: it looks at kick_pending before it leaves that state
 *   USER    in the platform's run_user: needs the platform's kick and a signal; in guest placement in the guest, where
 *           guest_mode says whether it is in ring 3 and needs them
 *   IDLE    in HC_IDLE: waits on kick_pending as a futex
 * The vCPU stores its state, then looks at kick_pending; the kicker stores kick_pending, then looks at the state.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#define VV_HOST_RSP   0
#define VV_SENTRY_RBP 8

#ifndef __ASSEMBLER__
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "platform/platform.h"

enum vcpu_state { VCPU_OFF, VCPU_SENTRY, VCPU_USER, VCPU_IDLE };

struct vmm_vcpu {
	uint64_t host_rsp;            /* where the thread's own stack continues */
	uint64_t sentry_rbp;          /* frame of the latest call out of the Sentry, for backtraces */
	struct vcpu *shared;          /* immutable */
	unsigned id;                  /* immutable */
	struct platform_vcpu *pv;     /* set before tid */
	_Atomic pid_t tid;            /* 0: not running */
	_Atomic uint32_t state;       /* enum vcpu_state */
	bool have_timer;              /* own thread only */
	timer_t timer;
	uint64_t timer_deadline;      /* what is armed; ~0: nothing; own thread and its signal handler */
	bool starting;                /* protected by the start lock */
	uint64_t hostcalls[HC_MAX];   /* how many of each; written by its own thread */
};

/* The calling thread's vCPU, or NULL on other threads. */
extern __thread struct vmm_vcpu *vcpu_self __attribute__((tls_model("initial-exec")));

/* Prepares the shared structures in RAM; no threads. */
int vcpu_init_all(unsigned nr);
/* Starts the thread if it does not run yet. -EINVAL for a number out of range. */
int vcpu_start(unsigned id);
/* Sets kick_pending and makes the vCPU see it. Any thread. */
void vcpu_kick(unsigned id);
void vcpu_kick_all(void);
/* Kicks an idle vCPU, or the first one when none is idle. */
void vcpu_kick_any(void);
/* Blocks until the deadline (CLOCK_MONOTONIC ns, ~0: none) or a kick. */
void vcpu_idle(struct vmm_vcpu *vv, uint64_t deadline);
/* Kick of the calling vCPU at the deadline, ~0: none. */
int vcpu_set_timer(struct vmm_vcpu *vv, uint64_t deadline);
/* Waits for ever; for vCPU threads of a sandbox that ends. */
void vcpu_park(void) __attribute__((noreturn));
/* A running vCPU, for its counters, or NULL. */
const struct vmm_vcpu *vcpu_get(unsigned id);
void vcpu_count_hostcall(struct vmm_vcpu *vv, uint64_t nr);
/* vcpu_guest.c: a vCPU thread's life in guest placement. */
void vcpu_guest_loop(struct vmm_vcpu *vv) __attribute__((noreturn));

/* vcpu_switch.S */
void vcpu_enter(struct vmm_vcpu *vv, struct vcpu *v, uint64_t stack_top, uint64_t entry) __attribute__((noreturn));
int64_t vcpu_hostcall_thunk(struct vcpu *v, uint64_t nr, const uint64_t args[6]);
int64_t vcpu_run_user_thunk(struct vcpu *v, struct user_context *uc);
int64_t vcpu_fpu_save_thunk(struct vcpu *v, struct user_context *uc);
/* What the thunks call, on the host stack. */
/* The container runs, or is held for its start: the waiting runsc hears of it, once. */
void vcpu_tell_ready(void);
/* The container cannot be started: the waiting runsc is told why. Nothing happens once it runs. */
void vcpu_tell_refused(const char *reason);
/* Before the container runs: something that whoever starts it should know. */
void vcpu_tell_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int64_t vcpu_do_hostcall(struct vmm_vcpu *vv, uint64_t nr, const uint64_t args[6]);
int64_t vcpu_do_run_user(struct vmm_vcpu *vv, struct user_context *uc);
int64_t vcpu_do_fpu_save(struct vmm_vcpu *vv, struct user_context *uc);
#endif
#endif
