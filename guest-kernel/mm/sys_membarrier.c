/* SPDX-License-Identifier: Apache-2.0 */
/*
 * membarrier(2). A vCPU that runs one of the threads in question is kicked; when it has noticed, it has left ring 3 and
 * so executed a full barrier. Threads that are switched out passed the scheduler's locks.
 */
#include "mm/mm_impl.h"
#include "syscall/syscall.h"

#include <linux/membarrier.h>

#define SUPPORTED \
	(MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | \
	 MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | \
	 MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE | \
	 MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ)
#define CMD_GET_REGISTRATIONS (1 << 9)
#define CMD_FLAG_CPU 1u

struct cpu_set {
	uint64_t bits[BOOT_VCPU_MAX / 64];
};

static struct vcpu *vcpu_of(unsigned cpu)
{
	return direct(pa(BOOT_VCPU_PA + cpu * PAGE_SIZE));
}

/* The vCPUs that run threads of mm (NULL: any application) besides the caller. */
static void running_on(struct mm *mm, struct cpu_set *set)
{
	struct process *p;
	struct task *t;

	*set = (struct cpu_set){0};
	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &process_list, all_link) {
		list_for_each_entry(t, &p->threads, thread_link) {
			int cpu = READ_ONCE(t->sched.cpu);

			if (t != current && atomic_load(&t->sched.on_rq) && cpu >= 0 && cpu < BOOT_VCPU_MAX &&
			    (!mm || READ_ONCE(t->mm) == mm))
				set->bits[cpu / 64] |= 1UL << cpu % 64;
		}
	}
	spin_unlock(&tasklist_lock);
}

/* Whoever is in the Sentry passes a barrier before ring 3 anyway; the others are made to leave ring 3 once. No vCPU has
 * to do anything for that while it waits here itself. */
static void kick_and_wait(const struct cpu_set *set)
{
	uint32_t self = this_vcpu()->id, seen[BOOT_VCPU_MAX];

	for (unsigned cpu = 0; cpu < BOOT_VCPU_MAX; cpu++) {
		seen[cpu] = 0;
		if (!(set->bits[cpu / 64] >> cpu % 64 & 1) || cpu == self)
			continue;
		seen[cpu] = sched_passages(cpu);
		if (!(seen[cpu] & 1))
			continue;
		(void)atomic_xchg(&vcpu_of(cpu)->kick_pending, 1);
		(void)hostcall1(HC_KICK, cpu);
	}
	for (unsigned cpu = 0; cpu < BOOT_VCPU_MAX; cpu++) {
		/* cond_resched may move this task to the very vCPU it waits for, which then has left ring 3. */
		while ((seen[cpu] & 1) && sched_passages(cpu) == seen[cpu]) {
			hostcall0(HC_YIELD);
			cond_resched();
		}
	}
}

static int64_t barrier_for(struct mm *mm)
{
	struct cpu_set set;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	running_on(mm, &set);
	kick_and_wait(&set);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return 0;
}

int64_t sys_membarrier(const struct sysargs *a)
{
	int cmd = arg_int(a, 0);
	uint32_t flags = arg_u32(a, 1);
	struct mm *mm = current->mm;

	if (flags & ~(cmd == MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ ? CMD_FLAG_CPU : 0))
		return -EINVAL;
	switch (cmd) {
	case MEMBARRIER_CMD_QUERY:
		return SUPPORTED | CMD_GET_REGISTRATIONS;
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		return barrier_for(NULL);
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ:
		atomic_or(&mm->membarrier_state, (uint64_t)cmd);
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ:
		/* Each registration is the bit above its command. */
		if (!(atomic_load(&mm->membarrier_state) & (uint64_t)cmd << 1))
			return -EPERM;
		return barrier_for(mm);
	case CMD_GET_REGISTRATIONS:
		return atomic_load(&mm->membarrier_state);
	default:
		return -EINVAL;
	}
}
