// SPDX-License-Identifier: Apache-2.0
/*
 * POSIX per-process timers (timer_create(2)). Each timer owns the one record that its signal uses, so that sending
 * cannot fail; while the record is queued or a signal waits to be taken, further expirations only count as overruns,
 * and the next period starts when the signal is taken.
 *
 * Locks: the table and each timer's fields are under proc->timers.lock, which is not held while a signal is sent or a
 * timer cancelled. References: the table's, the signal queue's, and callers'.
 */
#include "time/posix_timer.h"

#include "lib/string.h"
#include "mm/mm.h"
#include "signal/sigqueue.h"
#include "syscall/syscall.h"
#include "time/cpu_clock.h"
#include "time/timespec.h"

#define TIMERS_MAX 65536
/* An ignored periodic timer still runs, but no faster than this. */
#define IGNORED_PERIOD_NS NSEC_PER_MSEC

struct posix_timer {
	ref_t refs;
	struct process *proc; /* immutable; the table dies before it */
	int id, clockid, notify, tid;
	bool cpu;             /* counts CPU time: ct; else kt */
	bool deleted;         /* no longer in the table; timers.lock */
	bool armed;           /* will expire, or its signal waits to be taken */
	bool waits;           /* the signal is queued */
	uint32_t setting, queued_setting; /* counts timer_settime; the one that the queued signal belongs to */
	uint64_t expires;     /* CLOCK_MONOTONIC or CPU time */
	uint64_t interval;
	int overrun;          /* of the last signal taken */
	struct ktimer kt;
	struct cpu_timer ct;
	struct sigqueue sq;
};

static void timer_fire(struct posix_timer *t);
static void wall_fired(struct ktimer *k) { timer_fire(container_of(k, struct posix_timer, kt)); }
static void cpu_fired(struct cpu_timer *c) { timer_fire(container_of(c, struct posix_timer, ct)); }

void posix_timer_put(struct posix_timer *t)
{
	if (ref_put(&t->refs))
		kfree(t);
}

/* Whose CPU time a timer counts is held while the timer is in the table, unless it is the timer's own process. */
static bool holds_process(const struct posix_timer *t) { return t->cpu && t->ct.clock.proc != t->proc; }

/* The timer's clock; false once it is deleted. */
static bool timer_now(struct posix_timer *t, uint64_t *now)
{
	bool ok, held = holds_process(t);

	if (!t->cpu) {
		*now = clock_monotonic();
		return !READ_ONCE(t->deleted);
	}
	spin_lock(&t->proc->timers.lock);
	ok = !t->deleted;
	if (ok && held)
		process_get(t->ct.clock.proc);
	spin_unlock(&t->proc->timers.lock);
	if (!ok)
		return false;
	*now = cpu_clock_read(&t->ct.clock);
	if (held)
		process_put(t->ct.clock.proc);
	return true;
}

/* Without locks. A deletion either sees the timer armed and cancels it, or is seen here. in_fn: the deleter waits for us. */
static void timer_start(struct posix_timer *t, uint64_t expires, bool in_fn)
{
	bool deleted, held = holds_process(t);

	if (t->notify == SIGEV_NONE)
		return;
	spin_lock(&t->proc->timers.lock);
	deleted = t->deleted;
	if (!deleted && held)
		process_get(t->ct.clock.proc);
	spin_unlock(&t->proc->timers.lock);
	if (deleted)
		return;
	if (t->cpu)
		cpu_timer_arm(&t->ct, expires);
	else
		timer_arm(&t->kt, expires);
	if (READ_ONCE(t->deleted)) {
		if (t->cpu && in_fn)
			cpu_timer_disarm(&t->ct);
		else if (t->cpu)
			cpu_timer_cancel(&t->ct);
		else if (in_fn)
			timer_arm(&t->kt, DEADLINE_NEVER);
		else
			timer_cancel(&t->kt);
	}
	if (held)
		process_put(t->ct.clock.proc);
}

/* Moves expires past now by whole intervals; returns how many. */
static uint64_t timer_forward(struct posix_timer *t, uint64_t now, uint64_t interval)
{
	uint64_t n;

	if (now < t->expires)
		return 0;
	n = (now - t->expires) / interval + 1;
	t->expires = time_add(t->expires, n * interval);
	return n;
}

static void timer_fire(struct posix_timer *t)
{
	struct process *p = t->proc;
	struct task *target = NULL;
	uint64_t now, again_at = 0;
	bool sent, queued = false;

	if (!timer_now(t, &now))
		return;
	spin_lock(&p->timers.lock);
	if (!t->armed || now < t->expires) { /* set anew meanwhile */
		spin_unlock(&p->timers.lock);
		return;
	}
	t->waits = true;
	t->queued_setting = t->setting;
	spin_unlock(&p->timers.lock);

	ref_get(&t->refs);
	if (t->tid) {
		target = task_find(t->tid);
		if (target && target->proc != p) {
			task_put(target);
			target = NULL;
		}
	}
	sent = t->tid && !target ? false : signal_send_timer(p, target, &t->sq, &queued);
	if (target)
		task_put(target);
	if (sent && !queued)
		return;
	/* Ignored, or the record still waits from before timer_settime. */
	spin_lock(&p->timers.lock);
	if (!sent)
		t->waits = false;
	if (!sent && t->armed && t->interval) {
		(void)timer_forward(t, now, t->interval);
		again_at = MAX(t->expires, now + IGNORED_PERIOD_NS);
	} else if (!sent && t->setting == t->queued_setting) {
		t->armed = false;
	}
	spin_unlock(&p->timers.lock);
	if (again_at)
		timer_start(t, again_at, true);
	posix_timer_put(t);
}

void posix_timer_dequeued(struct posix_timer *t, siginfo_t *si)
{
	struct process *p = t->proc;
	uint64_t now, n, again_at = 0;

	si->si_overrun = 0;
	if (!timer_now(t, &now)) {
		posix_timer_put(t);
		return;
	}
	spin_lock(&p->timers.lock);
	t->waits = false;
	t->overrun = 0;
	if (t->armed && t->setting == t->queued_setting) {
		if (t->interval) {
			n = timer_forward(t, now, t->interval);
			t->overrun = n > INT32_MAX ? INT32_MAX : n ? (int)n - 1 : 0;
			again_at = t->expires;
		} else {
			t->armed = false;
		}
	}
	si->si_overrun = t->overrun;
	spin_unlock(&p->timers.lock);
	if (again_at)
		timer_start(t, again_at, false);
	posix_timer_put(t);
}

/* ---- the table ---- */

/* A timer of the current process with a reference, or NULL. */
static struct posix_timer *timer_lookup(int id)
{
	struct process_timers *pt = &current->proc->timers;
	struct posix_timer *t = NULL;

	spin_lock(&pt->lock);
	if (id >= 0 && (uint32_t)id < pt->nr_posix)
		t = pt->posix[id];
	if (t)
		ref_get(&t->refs);
	spin_unlock(&pt->lock);
	return t;
}

/* Takes the lowest free id. Caller holds timers.lock. */
static int claim_id(struct process_timers *pt, struct posix_timer *t)
{
	for (uint32_t id = 0; id < pt->nr_posix; id++) {
		if (pt->posix[id])
			continue;
		t->id = (int)id;
		t->sq.info.si_tid = (int)id;
		pt->posix[id] = t;
		return (int)id;
	}
	return -1;
}

/* Puts a timer into the table, which grows as needed. Its id or -EAGAIN. */
static int timer_insert(struct process *p, struct posix_timer *t)
{
	struct process_timers *pt = &p->timers;
	struct posix_timer **bigger = NULL, **drop;
	uint32_t size = 0;
	int id;

	for (;;) {
		spin_lock(&pt->lock);
		drop = bigger;
		if (bigger && size > pt->nr_posix) {
			drop = pt->posix;
			if (drop)
				memcpy(bigger, drop, pt->nr_posix * sizeof(*bigger));
			pt->posix = bigger;
			pt->nr_posix = size;
		}
		id = claim_id(pt, t);
		size = MAX(pt->nr_posix * 2, 8u);
		spin_unlock(&pt->lock);
		kfree(drop);
		if (id >= 0)
			return id;
		if (size > TIMERS_MAX || size / 2 >= rlimit_cur(RLIMIT_SIGPENDING) ||
		    !(bigger = kzalloc(size * sizeof(*bigger))))
			return -EAGAIN;
	}
}

/* Takes the timer out of the table; the caller gets its reference, or NULL. */
static struct posix_timer *timer_remove(struct process *p, uint32_t id)
{
	struct process_timers *pt = &p->timers;
	struct posix_timer *t = NULL;

	spin_lock(&pt->lock);
	if (id < pt->nr_posix) {
		t = pt->posix[id];
		pt->posix[id] = NULL;
	}
	if (t) {
		t->armed = false;
		t->deleted = true;
		t->setting++;
	}
	spin_unlock(&pt->lock);
	return t;
}

static void timer_destroy(struct posix_timer *t)
{
	if (t->cpu)
		cpu_timer_cancel(&t->ct);
	else
		timer_cancel(&t->kt);
	if (holds_process(t))
		process_put(t->ct.clock.proc);
	posix_timer_put(t);
}

void posix_timers_delete_all(struct process *p)
{
	struct posix_timer *t, **table;

	for (uint32_t id = 0; id < READ_ONCE(p->timers.nr_posix); id++) {
		t = timer_remove(p, id);
		if (t)
			timer_destroy(t);
	}
	spin_lock(&p->timers.lock);
	table = p->timers.posix;
	p->timers.posix = NULL;
	p->timers.nr_posix = 0;
	spin_unlock(&p->timers.lock);
	kfree(table);
}

/* ---- system calls ---- */

static int check_event(const sigevent_t *ev)
{
	struct task *t;
	bool ours;

	switch (ev->sigev_notify) {
	case SIGEV_SIGNAL | SIGEV_THREAD_ID:
		t = task_find_user(ev->_sigev_un._tid);
		ours = t && t->proc == current->proc;
		if (t)
			task_put(t);
		if (!ours)
			return -EINVAL;
		/* fall through */
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
		return signo_valid(ev->sigev_signo) ? 0 : -EINVAL;
	case SIGEV_NONE:
		return 0;
	default:
		return -EINVAL;
	}
}

static struct posix_timer *timer_new(int clockid, const sigevent_t *ev)
{
	struct posix_timer *t = kzalloc(sizeof(*t));
	struct cpu_clock clock;
	int err;

	if (!t)
		return ERR_PTR(-EAGAIN);
	t->id = -1;
	t->clockid = clockid;
	if (is_cpu_clock(clockid)) {
		err = cpu_clock_open(clockid, false, &clock);
		if (err) {
			kfree(t);
			return ERR_PTR(err);
		}
		t->cpu = true;
		if (clock.proc == current->proc)
			process_put(clock.proc);
		cpu_timer_init(&t->ct, &clock, cpu_fired);
	} else {
		timer_init(&t->kt, wall_fired);
	}
	ref_init(&t->refs);
	t->proc = current->proc;
	t->notify = ev->sigev_notify;
	t->tid = ev->sigev_notify == (SIGEV_SIGNAL | SIGEV_THREAD_ID) ? pid_from_user(ev->_sigev_un._tid) : 0;
	list_init(&t->sq.link);
	t->sq.timer = t;
	t->sq.info.si_signo = ev->sigev_signo;
	t->sq.info.si_code = SI_TIMER;
	t->sq.info.si_value = ev->sigev_value;
	return t;
}

int64_t sys_timer_create(const struct sysargs *a)
{
	int clockid = arg_int(a, 0), id;
	uva_t uevent = arg_uva(a, 1), uid = arg_uva(a, 2);
	struct posix_timer *t;
	sigevent_t ev;
	int err = clock_check_wait(clockid);

	if (err)
		return err;
	memset(&ev, 0, sizeof(ev));
	ev.sigev_notify = SIGEV_SIGNAL;
	ev.sigev_signo = SIGALRM;
	if (uevent.v) {
		if (copy_in_struct(&ev, uevent))
			return -EFAULT;
		err = check_event(&ev);
		if (err)
			return err;
	}
	t = timer_new(clockid, &ev);
	if (IS_ERR(t))
		return PTR_ERR(t);
	ref_get(&t->refs); /* ours, until the id is told */
	id = timer_insert(current->proc, t);
	if (id < 0) {
		timer_destroy(t);
		posix_timer_put(t);
		return id;
	}
	if (!uevent.v)
		t->sq.info.si_value.sival_int = id;
	err = copy_out_struct(uid, &id);
	if (err && timer_remove(current->proc, (uint32_t)id) == t)
		timer_destroy(t);
	posix_timer_put(t);
	return err;
}

/* Caller holds timers.lock. now: of the timer's clock. */
static void timer_read(struct posix_timer *t, uint64_t now, uint64_t *value, uint64_t *interval)
{
	uint64_t expires = t->expires;

	*interval = t->interval;
	*value = 0;
	if (!t->armed)
		return;
	if (t->interval && (t->waits || t->notify == SIGEV_NONE) && now >= expires)
		expires += ((now - expires) / t->interval + 1) * t->interval;
	if (expires > now)
		*value = expires - now;
	else if (t->notify != SIGEV_NONE && !t->waits)
		*value = 1; /* due, the signal is on its way */
}

static int itimerspec_out(uva_t p, uint64_t value, uint64_t interval)
{
	if (timespec_out(p, interval) || timespec_out(uva_add(p, sizeof(struct __kernel_timespec)), value))
		return -EFAULT;
	return 0;
}

int64_t sys_timer_gettime(const struct sysargs *a)
{
	struct posix_timer *t = timer_lookup(arg_int(a, 0));
	uint64_t value, interval, now;

	if (!t)
		return -EINVAL;
	if (!timer_now(t, &now)) {
		posix_timer_put(t);
		return -EINVAL;
	}
	spin_lock(&t->proc->timers.lock);
	timer_read(t, now, &value, &interval);
	spin_unlock(&t->proc->timers.lock);
	posix_timer_put(t);
	return itimerspec_out(arg_uva(a, 1), value, interval);
}

int64_t sys_timer_settime(const struct sysargs *a)
{
	int flags = arg_int(a, 1);
	uva_t unew = arg_uva(a, 2), uold = arg_uva(a, 3);
	uint64_t value, interval, old_value, old_interval, now;
	struct posix_timer *t;
	int err;

	if (!unew.v)
		return -EINVAL;
	err = timespec_in(unew, &interval);
	if (!err)
		err = timespec_in(uva_add(unew, sizeof(struct __kernel_timespec)), &value);
	if (err)
		return err;
	t = timer_lookup(arg_int(a, 0));
	if (!t)
		return -EINVAL;
	if (!timer_now(t, &now)) {
		posix_timer_put(t);
		return -EINVAL;
	}
	spin_lock(&t->proc->timers.lock);
	timer_read(t, now, &old_value, &old_interval);
	t->setting++;
	t->armed = value != 0;
	t->interval = value ? interval : 0;
	t->overrun = 0;
	if (value && !(flags & TIMER_ABSTIME))
		t->expires = time_add(now, value);
	else if (value)
		t->expires = t->cpu ? value : deadline_of_clock(t->clockid, value);
	value = t->armed ? t->expires : 0;
	spin_unlock(&t->proc->timers.lock);
	if (value)
		timer_start(t, value, false);
	else if (!t->cpu)
		timer_arm(&t->kt, DEADLINE_NEVER);
	posix_timer_put(t);
	return uold.v ? itimerspec_out(uold, old_value, old_interval) : 0;
}

int64_t sys_timer_getoverrun(const struct sysargs *a)
{
	struct posix_timer *t = timer_lookup(arg_int(a, 0));
	int64_t r;

	if (!t)
		return -EINVAL;
	r = READ_ONCE(t->overrun);
	posix_timer_put(t);
	return r;
}

int64_t sys_timer_delete(const struct sysargs *a)
{
	int id = arg_int(a, 0);
	struct posix_timer *t = id < 0 ? NULL : timer_remove(current->proc, (uint32_t)id);

	if (!t)
		return -EINVAL;
	timer_destroy(t);
	return 0;
}
