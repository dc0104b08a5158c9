/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life of struct task and struct process: allocation, linking into the tree, references, kernel tasks.
 */
#include "task/task.h"

#include "boot/boot.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "signal/signal.h"
#include "task/futex.h"
#include "task/user_ns.h"

const struct cred kernel_cred = {.refs = {1u << 30}, .cap_effective = CAP_ALL, .cap_permitted = CAP_ALL,
	.cap_bounding = CAP_ALL, .user_ns = &init_user_ns};
struct process kernel_process = {
	.refs = {1u << 30},
	.threads = LIST_INIT(kernel_process.threads),
	.children = LIST_INIT(kernel_process.children),
	.sibling = LIST_INIT(kernel_process.sibling),
	.all_link = LIST_INIT(kernel_process.all_link),
	.child_wait = WAIT_QUEUE_INIT(kernel_process.child_wait),
	.exit_wait = WAIT_QUEUE_INIT(kernel_process.exit_wait),
	.pid_ns = &root_pid_ns,
	.rlim = {[0 ... RLIM_NLIMITS - 1] = {RLIM64_INFINITY, RLIM64_INFINITY}},
	.container = &container0,
};

/* ---- FPU state ---- */
/* XSAVE area, standard format (SDM vol. 1, 13.4): the state after power-up with exceptions masked. */
#define XSAVE_FCW        0
#define XSAVE_MXCSR      24
#define XSAVE_MXCSR_MASK 28
#define XSAVE_HEADER     512
#define XFEATURE_PKRU    0x200UL
/* Protection keys: none but the first may be used, as Linux starts programs. It has no effect without CR4.PKE, but KVM
 * exchanges a guest's value for the host's at each exit and entry, unless they are the same. */
#define PKRU_INIT        0x55555554U

/* Where the standard format has PKRU. */
static uint32_t pkru_offset(void)
{
	static uint32_t offset;
	uint32_t a = 0xd, c = 9, b, d;

	if (!READ_ONCE(offset)) {
		__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		WRITE_ONCE(offset, b);
	}
	return offset;
}

void task_fpu_reset(struct task *t)
{
	uint8_t *area = (uint8_t *)t->uc.fpu;
	uint64_t present = 3; /* x87 and SSE; the rest is in its initial state */

	memset(area, 0, t->uc.fpu_size);
	*(uint16_t *)(area + XSAVE_FCW) = 0x37f;
	*(uint32_t *)(area + XSAVE_MXCSR) = 0x1f80;
	*(uint32_t *)(area + XSAVE_MXCSR_MASK) = 0xffff;
	if (boot.xcr0 & XFEATURE_PKRU && pkru_offset() + sizeof(uint32_t) <= t->uc.fpu_size) {
		*(uint32_t *)(area + pkru_offset()) = PKRU_INIT;
		present |= XFEATURE_PKRU;
	}
	if (t->uc.fpu_size >= XSAVE_HEADER + 64)
		*(uint64_t *)(area + XSAVE_HEADER) = present;
}

/* ---- tasks ---- */
struct task *task_alloc(void)
{
	struct task *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	ref_init(&t->refs);
	spin_init(&t->lock);
	list_init(&t->thread_link);
	list_init(&t->sched.rq_link);
	list_init(&t->pi_held);
	ptrace_init_task(t);
	t->uc.fpu_cpu = -1;
	t->uc.fpu_size = boot.fpu_size;
	t->syscall_nr = -1;
	t->rseq_cpu = -1;
	t->timer_slack_ns = 50000;
	t->kstack = kstack_alloc();
	t->fpu_area = kmalloc(boot.fpu_size + 64);
	if (!t->kstack || !t->fpu_area) {
		if (t->kstack)
			kstack_free(t->kstack);
		kfree(t->fpu_area);
		kfree(t);
		return NULL;
	}
	t->uc.fpu = ROUND_UP((uint64_t)t->fpu_area, 64UL);
	*(struct task **)((char *)t->kstack + KSTACK_TASK_OFF) = t;
	return t;
}

void task_put(struct task *t)
{
	if (!ref_put(&t->refs))
		return;
	if (t->proc && t->proc != &kernel_process)
		process_put(t->proc);
	if (t->cred && t->cred != &kernel_cred)
		cred_put(t->cred);
	kstack_free(t->kstack);
	kfree(t->fpu_area);
	kfree(t->refusal);
	kfree(t);
}

void task_link(struct task *t)
{
	struct process *p = t->proc;

	list_add_tail(&t->thread_link, &p->threads);
	p->nr_threads++;
	pid_set_task(t->tid, t);
}

/* ---- processes ---- */
struct process *process_alloc(struct container *c)
{
	struct process *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	ref_init(&p->refs);
	list_init(&p->threads);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->all_link);
	wait_queue_init(&p->child_wait);
	wait_queue_init(&p->exit_wait);
	p->container = c;
	container_get(c);
	return p;
}

void process_set_pid(struct process *p, struct task *leader)
{
	p->numbers = pid_get(leader->tid);
	p->pid = leader->tid;
	p->pid_ns = pid_ns_of(p->numbers);
	p->vpid = leader->vtid;
	p->leader = leader;
}

int task_set_tid(struct task *t, struct pid_ns *ns, const int *set, uint32_t n)
{
	int id = pid_alloc(ns, set, n);

	if (id < 0)
		return id;
	t->tid = id;
	t->vtid = pid_nr_ns(id, ns);
	return 0;
}

void process_put(struct process *p)
{
	if (p == &kernel_process || !ref_put(&p->refs))
		return;
	process_signal_destroy(p);
	container_put(p->container);
	pid_put(p->numbers);
	kfree(p);
}

void process_set_parent(struct process *p, struct process *parent)
{
	p->parent = parent;
	WRITE_ONCE(p->parent_vpid, pid_number(parent->numbers, p->pid_ns));
}

void process_link(struct process *p, struct process *parent)
{
	process_set_parent(p, parent);
	list_add_tail(&p->sibling, &parent->children);
	list_add_tail(&p->all_link, &process_list);
	pid_ref(p->pgid);
	pid_ref(p->sid);
	if (p->vpid == 1)
		p->pid_ns->init = p;
}

/* ---- kernel tasks ---- */
static void kthread_main(void *arg)
{
	struct task *t = arg;

	sched_first_switch();
	t->kthread_fn(t->kthread_arg);
	sched_exit();
}

struct task *kthread_create(const char *name, void (*fn)(void *), void *arg)
{
	struct task *t = task_alloc();

	if (!t)
		return NULL;
	t->proc = &kernel_process;
	t->cred = &kernel_cred;
	t->nsproxy = &init_nsproxy;
	t->is_kthread = true;
	t->kthread_fn = fn;
	t->kthread_arg = arg;
	t->fs = current->fs; /* kernel tasks borrow; they never exit with it */
	strlcpy(t->comm, name, sizeof(t->comm));
	task_signal_init(t);
	sched_fork(t, current);
	sched_cpu_mask(t->sched.affinity);
	t->sched.policy = 0;
	t->sched.nice = 0;
	t->sched.ksp = arch_new_context(t->kstack, kthread_main, t);
	t->start_ns = clock_since_start();
	task_start(t);
	return t;
}

/* ---- limits ---- */
uint64_t rlimit_cur(unsigned resource)
{
	return READ_ONCE(current->proc->rlim[resource].rlim_cur);
}
