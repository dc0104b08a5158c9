/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stub processes and threads: making them, making them do system calls, keeping finished ones for reuse.
 *
 * A stub that is seized by this file's functions is stopped whenever they return; only vcpu.c lets application code run.
 */
#include "ptrace/ptrace_impl.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_MAX 8
#define SLOT_MAX 32768 /* data pages, hence address spaces */
#define PTRACE_OPTIONS (PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK)
#define PROCESS_FLAGS (CLONE_PARENT | CLONE_FILES | SIGCHLD)
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

#define USER_CS 0x33
#define USER_SS 0x2b

int pt_stub_wait(pid_t tid, int *status)
{
	pid_t r;

	do
		r = waitpid(tid, status, __WALL);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return WIFSTOPPED(*status) ? 0 : -ESRCH;
}

static bool is_event(int status, int event) { return status >> 8 == (SIGTRAP | event << 8); }

/* Runs a stopped stub from entry until it stops at an int3 or a clone event; other stops (kicks that came late) are
 * resumed. regs is both the state to start with and the one at the stop. */
static int stub_run(pid_t tid, const uint8_t *entry, struct user_regs_struct *regs, int *status)
{
	int r;

	regs->rip = pt_stub_address(entry);
	regs->orig_rax = ~0UL;
	regs->cs = USER_CS;
	regs->ss = USER_SS;
	regs->eflags = 0x202;
	if (ptrace(PTRACE_SETREGS, tid, 0, regs))
		return -errno;
	for (;;) {
		if (ptrace(PTRACE_CONT, tid, 0, 0))
			return -errno;
		r = pt_stub_wait(tid, status);
		if (r)
			return r;
		if (is_event(*status, PTRACE_EVENT_CLONE) || is_event(*status, PTRACE_EVENT_FORK))
			break;
		if (*status >> 8 == SIGTRAP)
			break;
	}
	return ptrace(PTRACE_GETREGS, tid, 0, regs) ? -errno : 0;
}

/* One system call by a stopped stub: its result. */
static int64_t stub_syscall(pid_t tid, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
    uint64_t a5)
{
	struct user_regs_struct regs = {.rax = nr, .rdi = a0, .rsi = a1, .rdx = a2, .r10 = a3, .r8 = a4, .r9 = a5};
	int status, r = stub_run(tid, pt_stub_call_entry, &regs, &status);

	return r ? r : (int64_t)regs.rax;
}

int pt_stub_run_list(struct stub_thread *t, unsigned n, int *err)
{
	struct user_regs_struct regs = {.r12 = STUB_DATA, .r13 = n};
	int status, r;

	r = t->dead ? -ESRCH : stub_run(t->tid, pt_stub_list_entry, &regs, &status);
	if (r) {
		if (r == -ESRCH)
			pt_stub_died(t);
		*err = r;
		return 0;
	}
	*err = regs.r13 ? (int)regs.rax : 0;
	return (int)(n - regs.r13);
}

void pt_stub_died(struct stub_thread *t)
{
	__atomic_store_n(&t->dead, true, __ATOMIC_RELEASE);
	if (t->proc)
		__atomic_store_n(&t->proc->dead, true, __ATOMIC_RELEASE);
}

/* A parked leader becomes the calling thread's tracee, stopped. */
static int leader_seize(pid_t pid)
{
	cpu_set_t here;
	int status, r;

	/* Waking it on this CPU is far cheaper than on another one. */
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(pid, sizeof(here), &here);
	if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_OPTIONS) || ptrace(PTRACE_INTERRUPT, pid, 0, 0))
		return -errno;
	r = pt_stub_wait(pid, &status);
	return r;
}

static int leader_release(pid_t pid)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, 0, &regs))
		return -errno;
	regs.rip = pt_stub_address(pt_stub_park_entry);
	return ptrace(PTRACE_SETREGS, pid, 0, &regs) || ptrace(PTRACE_DETACH, pid, 0, 0) ? -errno : 0;
}

/* A stopped leader clones; the child is stopped and the calling thread's tracee too. */
static int leader_clone(pid_t pid, uint64_t flags, pid_t *child)
{
	struct user_regs_struct regs = {.rax = SYS_clone, .rdi = flags};
	unsigned long message;
	int status, r;

	r = stub_run(pid, pt_stub_call_entry, &regs, &status);
	if (r)
		return r;
	if (!(status >> 16)) /* no event: the call failed */
		return (int64_t)regs.rax < 0 ? (int)regs.rax : -EPROTO;
	if (ptrace(PTRACE_GETEVENTMSG, pid, 0, &message))
		return -errno;
	*child = (pid_t)message;
	return pt_stub_wait(*child, &status);
}

/* Threads whose process has been killed by another vCPU. */
static void prune(struct platform_vcpu *pv)
{
	for (struct stub_thread **p = &pv->threads, *t; (t = *p);) {
		if (__atomic_load_n(&t->dead, __ATOMIC_ACQUIRE) && !t->proc) {
			*p = t->next;
			free(t);
		} else {
			p = &t->next;
		}
	}
}

/* The traced thread of a vCPU, made by a stopped leader. */
static int thread_new(struct platform_vcpu *pv, struct stub_proc *p, struct stub_thread **out)
{
	struct stub_thread *t = calloc(1, sizeof(*t));
	uint64_t mask = ~(1UL << (KICK_SIGNAL - 1));
	int r;

	if (!t)
		return -ENOMEM;
	prune(pv);
	r = leader_clone(p->pid, THREAD_FLAGS, &t->tid);
	if (!r && ptrace(PTRACE_SETSIGMASK, t->tid, sizeof(mask), &mask))
		r = -errno;
	if (r) {
		free(t);
		return r;
	}
	t->proc = p;
	t->cpu = STUB_CPU_INHERITED;
	t->next = pv->threads;
	pv->threads = t;
	p->thread[pv->id] = t;
	*out = t;
	return 0;
}

int pt_stub_thread_make(struct platform_vcpu *pv, struct stub_proc *p, struct stub_thread **out)
{
	int r = leader_seize(p->pid);

	if (r)
		return r;
	r = thread_new(pv, p, out);
	return leader_release(p->pid) ? -EPROTO : r;
}

static int slot_alloc(uint32_t *slot)
{
	if (pt.nr_free_slots)
		*slot = pt.free_slots[--pt.nr_free_slots];
	else if (pt.next_slot < SLOT_MAX)
		*slot = pt.next_slot++;
	else
		return -ENOMEM;
	return 0;
}

/* Gives the process of a stopped new leader its own data page and its first thread. */
static int proc_furnish(struct platform_vcpu *pv, struct stub_proc *p)
{
	struct stub_thread *t;
	int64_t at;

	p->calls = (struct stub_call *)(pt.data + p->slot * PAGE_SIZE);
	at = stub_syscall(p->pid, SYS_mmap, STUB_DATA, PAGE_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, (uint64_t)pt.data_fd,
	    p->slot * PAGE_SIZE);
	if (at != (int64_t)STUB_DATA)
		return at < 0 ? (int)at : -EPROTO;
	return thread_new(pv, p, &t);
}

/* stub_lock is held. */
static int proc_new(struct platform_vcpu *pv, struct stub_proc **out)
{
	struct stub_proc *p = calloc(1, sizeof(*p) + pt.nr_vcpus * sizeof(p->thread[0]));
	int r;

	if (!p)
		return -ENOMEM;
	r = slot_alloc(&p->slot);
	if (r)
		goto fail;
	r = leader_seize(pt.template_pid);
	if (r)
		goto fail_slot;
	r = leader_clone(pt.template_pid, PROCESS_FLAGS, &p->pid);
	if (leader_release(pt.template_pid))
		r = -EPROTO;
	if (r)
		goto fail_slot;
	r = proc_furnish(pv, p);
	if (!r)
		r = leader_release(p->pid);
	if (r) {
		kill(p->pid, SIGKILL);
		goto fail_slot;
	}
	*out = p;
	return 0;
fail_slot:
	pt.free_slots[pt.nr_free_slots++] = p->slot;
fail:
	free(p);
	return r;
}

int pt_stub_proc_get(struct platform_vcpu *pv, struct stub_proc **out, bool *used)
{
	struct stub_proc **best = NULL;
	int r = 0;

	pthread_mutex_lock(&pt.stub_lock);
	for (struct stub_proc **p = &pt.pool; *p; p = &(*p)->next)
		if (!best || (*p)->thread[pv->id]) {
			best = p;
			if ((*p)->thread[pv->id])
				break;
		}
	*used = best != NULL;
	if (best) {
		*out = *best;
		*best = (*best)->next;
		pt.nr_pool--;
	} else {
		r = proc_new(pv, out);
	}
	pthread_mutex_unlock(&pt.stub_lock);
	return r;
}

/* The process goes; its threads die with it. Tracees of other vCPU threads may be waited for from this one, but they are
 * freed by their own vCPU (stub_thread.dead), which may be about to look at them. */
static void proc_kill(struct stub_proc *p)
{
	int status;

	kill(p->pid, SIGKILL);
	for (unsigned i = 0; i < pt.nr_vcpus; i++) {
		struct stub_thread *t = p->thread[i];

		if (!t)
			continue;
		while (waitpid(t->tid, &status, __WALL) == t->tid && WIFSTOPPED(status))
			;
		t->proc = NULL;
		__atomic_store_n(&t->dead, true, __ATOMIC_RELEASE);
	}
	while (waitpid(p->pid, &status, __WALL) == p->pid && WIFSTOPPED(status))
		;
}

void pt_stub_proc_put(struct stub_proc *p)
{
	bool keep = !__atomic_load_n(&p->dead, __ATOMIC_ACQUIRE);

	for (unsigned i = 0; i < pt.nr_vcpus; i++)
		if (p->thread[i])
			__atomic_store_n(&p->thread[i]->fpu_owner, NULL, __ATOMIC_RELEASE);
	pthread_mutex_lock(&pt.stub_lock);
	if (keep && pt.nr_pool < POOL_MAX) {
		p->next = pt.pool;
		pt.pool = p;
		pt.nr_pool++;
		p = NULL;
	}
	pthread_mutex_unlock(&pt.stub_lock);
	if (!p)
		return;
	proc_kill(p);
	pthread_mutex_lock(&pt.stub_lock);
	pt.free_slots[pt.nr_free_slots++] = p->slot;
	pthread_mutex_unlock(&pt.stub_lock);
	free(p);
}

int pt_stub_init(void)
{
	int r;

	pt.free_slots = malloc(SLOT_MAX * sizeof(*pt.free_slots));
	if (!pt.free_slots)
		return -ENOMEM;
	pt.data_fd = memfd_create("runsc-stub-calls", MFD_CLOEXEC);
	if (pt.data_fd < 0)
		return -errno;
	if (ftruncate(pt.data_fd, (off_t)(SLOT_MAX * PAGE_SIZE)))
		return -errno;
	pt.data = mmap(NULL, SLOT_MAX * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, pt.data_fd, 0);
	if (pt.data == MAP_FAILED)
		return -errno;
	r = pt_stub_template_start(pt.data_fd, &pt.template_pid, &pt.xstate_size);
	pt.next_slot = 1; /* the template's is page 0 */
	return r;
}

void pt_stub_exit(void)
{
	pthread_mutex_lock(&pt.stub_lock);
	if (pt.template_pid > 0)
		kill(pt.template_pid, SIGKILL);
	for (struct stub_proc *p = pt.pool; p; p = p->next)
		kill(p->pid, SIGKILL);
	pthread_mutex_unlock(&pt.stub_lock);
}
