/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Out of memory: kills the process that uses the most, weighted by oom_score_adj as in proc(5). The init process of the
 * container goes last: its end is the sandbox's.
 */
#include "mm/mm_impl.h"
#include "signal/signal.h"

/* Resident pages plus page tables' worth, or -1 if it must not or need not be killed. tasklist_lock held. */
static int64_t badness(struct process *p, uint64_t total)
{
	struct task *t = p->leader;
	int64_t pages = -1;

	if (!t || p->exiting || p->zombie || p->oom_score_adj <= -1000)
		return -1;
	spin_lock(&t->lock);
	if (t->mm)
		pages = READ_ONCE(t->mm->rss_anon) + READ_ONCE(t->mm->rss_shmem);
	spin_unlock(&t->lock);
	if (pages < 0)
		return -1;
	pages += (int64_t)p->oom_score_adj * (int64_t)(total / 1000);
	return MAX(pages, (int64_t)0);
}

/* The engine outside learns of it by an event of the container's cgroup. */
static void tell_host(struct container *c)
{
	int64_t r = hostcall0(HC_OOM_EVENT);

	atomic_add(&c->cgroup.oom_kills, 1);
	if (r < 0)
		pr_debug("oom: the host was not told (%ld)", -r);
}

void oom_kill(void)
{
	struct process *p, *victim = NULL;
	int64_t worst = -1;
	struct page_stats s;
	siginfo_t si;

	page_stats(&s);
	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &process_list, all_link) {
		int64_t b = badness(p, s.limit);

		/* One that was told already and still dies: give it time. */
		if (b >= 0 && p->leader && fatal_signal_pending(p->leader)) {
			victim = NULL;
			worst = -1;
			break;
		}
		if (b < 0 || (p == container0.init && victim))
			continue;
		if (b > worst || victim == container0.init) {
			worst = b;
			victim = p;
		}
	}
	if (victim)
		process_get(victim);
	spin_unlock(&tasklist_lock);
	if (!victim)
		return;
	pr_warn("Out of memory: killed process %d (%s), %lu kB resident", victim->pid,
	        victim->leader ? victim->leader->comm : "?", (unsigned long)worst * (PAGE_SIZE / 1024));
	/* Before the signal: if it is init that dies, the sandbox ends with it. */
	atomic_add(&victim->container->cgroup.ooms, 1);
	tell_host(victim->container);
	siginfo_kernel(&si, SIGKILL);
	if (signal_send_process(victim, &si))
		pr_warn("oom: process %d cannot be killed", victim->pid);
	process_put(victim);
}
