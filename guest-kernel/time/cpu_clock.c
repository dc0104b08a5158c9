// SPDX-License-Identifier: Apache-2.0
/*
 * CPU-time clocks, and what expires on them: POSIX timers, ITIMER_VIRTUAL, ITIMER_PROF, RLIMIT_CPU. Time is accounted when
 * a thread enters the kernel, so while anything waits for CPU time a kernel timer (cpu_tick) makes running threads enter.
 */
#include "time/cpu_clock.h"

#include "lib/string.h"
#include "signal/signal.h"
#include "time/posix_timer.h"
#include "time/timespec.h"
#include "task/cpu_account.h"

#define CPU_TICK_NS (4 * NSEC_PER_MSEC)

/* ---- reading ---- */

/* A thread that runs elsewhere has not accounted its last stretch. */
void process_cpu_times(struct process *p, uint64_t *user, uint64_t *sys)
{
	struct task *t;

	cpu_account_sync();
	spin_lock(&tasklist_lock);
	*user = p->self.utime_ns;
	*sys = p->self.stime_ns;
	list_for_each_entry(t, &p->threads, thread_link) {
		*user += READ_ONCE(t->sched.utime_ns);
		*sys += READ_ONCE(t->sched.stime_ns);
	}
	spin_unlock(&tasklist_lock);
}

uint64_t cpu_clock_read(const struct cpu_clock *c)
{
	uint64_t user = 0, sys = 0;

	cpu_account_sync();
	if (!c->tid) {
		process_cpu_times(c->proc, &user, &sys);
	} else {
		struct task *t = task_find(c->tid);

		if (!t)
			return 0;
		user = READ_ONCE(t->sched.utime_ns);
		sys = READ_ONCE(t->sched.stime_ns);
		task_put(t);
	}
	return c->kind == CPU_CLOCK_VIRT ? user : user + sys;
}

int cpu_clock_open(int clockid, bool reading, struct cpu_clock *out)
{
	bool thread;
	struct task *t;
	int pid;

	if (clockid == CLOCK_PROCESS_CPUTIME_ID || clockid == CLOCK_THREAD_CPUTIME_ID) {
		pid = 0;
		thread = clockid == CLOCK_THREAD_CPUTIME_ID;
		out->kind = CPU_CLOCK_SCHED;
	} else {
		if (clockid >= 0 || (clockid & 3) == 3)
			return -EINVAL;
		pid = ~(clockid >> 3);
		thread = clockid & 4;
		out->kind = clockid & 3;
	}
	if (pid < 0)
		return -EINVAL;
	t = pid ? task_find_user(pid) : current;
	if (!t)
		return -EINVAL;
	if (!pid)
		task_get(t);
	out->proc = t->proc;
	out->tid = thread ? t->tid : 0;
	/* Threads only of our own process; a process by its number (or, to read, by our own thread's). */
	if ((thread && t->proc != current->proc) ||
	    (!thread && pid && t->proc->pid != t->tid && !(reading && t == current))) {
		task_put(t);
		return -EINVAL;
	}
	process_get(out->proc);
	task_put(t);
	return 0;
}

/* ---- timers ---- */

void cpu_timer_init(struct cpu_timer *t, const struct cpu_clock *c, void (*fn)(struct cpu_timer *))
{
	memset(t, 0, sizeof(*t));
	list_init(&t->link);
	t->clock = *c;
	t->fn = fn;
}

void cpu_timers_activate(struct process *p)
{
	spin_lock(&p->timers.lock);
	if (!p->timers.ended) {
		atomic_store(&p->timers.cpu_active, 1u);
		timer_arm(&p->timers.cpu_tick, clock_monotonic() + CPU_TICK_NS);
	}
	spin_unlock(&p->timers.lock);
}

void cpu_timer_arm(struct cpu_timer *t, uint64_t expires)
{
	struct process *p = t->clock.proc;

	spin_lock(&p->timers.lock);
	list_del(&t->link);
	t->expires = expires;
	list_add_tail(&t->link, &p->timers.cpu_timers);
	spin_unlock(&p->timers.lock);
	cpu_timers_activate(p);
}

void cpu_timer_disarm(struct cpu_timer *t)
{
	spin_lock(&t->clock.proc->timers.lock);
	list_del(&t->link);
	spin_unlock(&t->clock.proc->timers.lock);
}

void cpu_timer_cancel(struct cpu_timer *t)
{
	struct process *p = t->clock.proc;

	spin_lock(&p->timers.lock);
	for (unsigned spins = 1;; spins++) {
		if (!t->running) {
			list_del(&t->link);
			break;
		}
		spin_unlock(&p->timers.lock);
		cpu_relax();
		if (spins % 256 == 0)
			hostcall0(HC_YIELD);
		spin_lock(&p->timers.lock);
	}
	spin_unlock(&p->timers.lock);
}

/* Takes one expired timer of the list and marks it running. */
static struct cpu_timer *take_expired(struct process *p, uint64_t user, uint64_t sys)
{
	struct task *me = current;
	struct cpu_timer *t, *found = NULL;

	spin_lock(&p->timers.lock);
	list_for_each_entry(t, &p->timers.cpu_timers, link) {
		uint64_t u = user, s = sys;

		if (t->clock.tid) {
			if (t->clock.tid != me->tid)
				continue;
			u = me->sched.utime_ns;
			s = me->sched.stime_ns;
		}
		if (t->expires > (t->clock.kind == CPU_CLOCK_VIRT ? u : u + s))
			continue;
		list_del(&t->link);
		t->running = true;
		found = t;
		break;
	}
	spin_unlock(&p->timers.lock);
	return found;
}

static void send_kernel(struct process *p, int signo)
{
	siginfo_t si;

	siginfo_kernel(&si, signo);
	(void)signal_send_process(p, &si);
}

/* Has an interval timer expired? Starts its next period. Caller holds timers.lock. */
static bool itimer_expired(uint64_t *expires, uint64_t interval, uint64_t now)
{
	if (!*expires || now < *expires)
		return false;
	*expires = interval ? *expires + ((now - *expires) / interval + 1) * interval : 0;
	return true;
}

static void check_limit(struct process *p, uint64_t cpu_ns)
{
	uint64_t soft = READ_ONCE(p->rlim[RLIMIT_CPU].rlim_cur), hard = READ_ONCE(p->rlim[RLIMIT_CPU].rlim_max);
	uint64_t seconds = cpu_ns / NSEC_PER_SEC;
	bool warn = false;

	if (hard != RLIM64_INFINITY && seconds >= hard) {
		send_kernel(p, SIGKILL);
		return;
	}
	if (soft == RLIM64_INFINITY)
		return;
	spin_lock(&p->timers.lock);
	if (seconds >= MAX(soft, p->timers.cpu_xlimit)) {
		p->timers.cpu_xlimit = seconds + 1;
		warn = true;
	}
	spin_unlock(&p->timers.lock);
	if (warn)
		send_kernel(p, SIGXCPU);
}

static bool has_limit(struct process *p) { return READ_ONCE(p->rlim[RLIMIT_CPU].rlim_cur) != RLIM64_INFINITY; }

void process_timers_limit(struct process *p)
{
	if (has_limit(p))
		cpu_timers_activate(p);
}

void process_timers_account(uint64_t user_ns, uint64_t sys_ns)
{
	struct process *p = current->proc;
	struct cpu_timer *t;
	uint64_t user, sys;
	bool virt, prof, more;

	(void)user_ns;
	(void)sys_ns;
	if (likely(!atomic_load(&p->timers.cpu_active) && !has_limit(p)))
		return;
	process_cpu_times(p, &user, &sys);
	while ((t = take_expired(p, user, sys))) {
		t->fn(t);
		spin_lock(&p->timers.lock);
		t->running = false;
		spin_unlock(&p->timers.lock);
	}
	spin_lock(&p->timers.lock);
	virt = itimer_expired(&p->timers.virt.expires, p->timers.virt.interval, user);
	prof = itimer_expired(&p->timers.prof.expires, p->timers.prof.interval, user + sys);
	more = p->timers.virt.expires || p->timers.prof.expires || !list_empty(&p->timers.cpu_timers) || has_limit(p);
	atomic_store(&p->timers.cpu_active, (uint32_t)more);
	spin_unlock(&p->timers.lock);
	if (virt)
		send_kernel(p, SIGVTALRM);
	if (prof)
		send_kernel(p, SIGPROF);
	check_limit(p, user + sys);
	if (more && !READ_ONCE(p->timers.cpu_tick.armed))
		cpu_timers_activate(p);
}

/* Running threads enter the kernel. Goes on while one runs; the next one to account starts it again. */
static void cpu_tick_fn(struct ktimer *k)
{
	struct process *p = container_of(k, struct process, timers.cpu_tick);
	bool runs = false;
	struct task *t;

	spin_lock(&tasklist_lock);
	list_for_each_entry(t, &p->threads, thread_link) {
		if (atomic_load(&t->sched.state) != TASK_RUNNING)
			continue;
		runs = true;
		task_kick(t);
	}
	spin_unlock(&tasklist_lock);
	if (runs && atomic_load(&p->timers.cpu_active))
		timer_arm(k, clock_monotonic() + CPU_TICK_NS);
}

/* ---- life of the state ---- */

int process_timers_init(struct process *p)
{
	memset(&p->timers, 0, sizeof(p->timers));
	list_init(&p->timers.cpu_timers);
	timer_init(&p->timers.cpu_tick, cpu_tick_fn);
	timer_init(&p->timers.real, itimer_real_fn);
	return 0;
}
