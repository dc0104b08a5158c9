/* SPDX-License-Identifier: Apache-2.0 */
/* Control messages about processes: signal, wait, processes, start, exec, pause, resume. */
#include "boot/control.h"

#include "fs/tty/tty.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/page.h"
#include "signal/signal.h"
#include "task/task.h"
#include "task/user_ns.h"

#define PROCESSES_MAX 1024u

/* ---- whom a message means ---- */
/* exec = <request>: the process of an owner; pid = <number>: a process of the container; neither: its first one. A
 * reference, or NULL. */
static struct process *find_process(const struct fdt *f, struct container *c)
{
	uint32_t request = fdt_u32(f, 0, "exec", 0), pid = fdt_u32(f, 0, "pid", 0);
	struct process *p;

	if (request) {
		p = control_watched(request);
	} else if (pid) {
		p = process_find_ns((int)pid, c->nsproxy->pid_for_children);
	} else {
		spin_lock(&tasklist_lock);
		p = c->init;
		if (p)
			process_get(p);
		spin_unlock(&tasklist_lock);
	}
	if (p && p->container != c) {
		process_put(p);
		return NULL;
	}
	return p;
}

/* ---- signal ---- */
static int signal_everyone(struct container *c, const siginfo_t *si)
{
	struct process *p;
	int n = 0;

	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &process_list, all_link)
		if (p->container == c && !p->zombie && (!si->si_signo || signal_send_process_locked(p, si) == 0))
			n++;
	spin_unlock(&tasklist_lock);
	return n ? 0 : -ESRCH;
}

static int signal_one(const struct fdt *f, struct container *c, const siginfo_t *si)
{
	struct process *p = find_process(f, c);

	if (!p)
		return -ESRCH;
	int err = p->zombie ? -ESRCH : si->si_signo ? signal_send_from_host(p, si) : 0;
	process_put(p);
	return err;
}

int control_signal(const struct fdt *f)
{
	int signo = (int)fdt_u32(f, 0, "signo", 0);
	siginfo_t si;

	if (signo < 0 || signo > NSIG_)
		return -EINVAL;
	/* The terminal of the command outside changed its size: whoever is in its foreground here hears of it. */
	if (signo == SIGWINCH && !fdt_u32(f, 0, "pid", 0) && tty_host_check_size())
		return 0;
	struct container *c = control_container(f);
	if (!c)
		return -ENOENT;
	siginfo_kernel(&si, signo); /* from outside the container: init may be killed by it */
	si.si_code = SI_USER;
	int err = control_flag(f, "all") ? signal_everyone(c, &si) : signal_one(f, c, &si);
	container_put(c);
	return err;
}

/* ---- wait, start, exec, pause ---- */
int control_wait(const struct fdt *f, uint32_t request)
{
	struct container *c = control_container(f);

	if (!c)
		return -ENOENT;
	struct process *p = find_process(f, c);
	container_put(c);
	if (!p)
		return -ESRCH;
	int err = control_watch(request, p, false, 0);
	process_put(p);
	return err ? err : CONTROL_LATER;
}

int control_exec(const struct fdt *f, uint32_t request)
{
	int err = container_exec(f, request);

	return err ? err : CONTROL_LATER;
}

int control_start(const struct fdt *f, uint32_t request)
{
	struct container *c = control_container(f);

	if (!c)
		return -ENOENT;
	int err = container_release(c, request);
	container_put(c);
	return err ? err : CONTROL_LATER;
}

int control_create(const struct fdt *f, uint32_t request)
{
	int err = container_create(f, request);

	return err ? err : CONTROL_LATER;
}

int control_pause(const struct fdt *f, bool pause)
{
	struct container *c = control_container(f);
	int err = 0;

	if (!c)
		return -ENOENT;
	if (pause)
		err = container_freeze(c);
	else
		container_thaw(c);
	container_put(c);
	return err;
}

/* ---- processes ---- */
/* One column of the answer per field. */
struct listing {
	uint32_t n;
	uint8_t pid[PROCESSES_MAX * 4], ppid[PROCESSES_MAX * 4], uid[PROCESSES_MAX * 4], tty[PROCESSES_MAX * 4];
	uint8_t start[PROCESSES_MAX * 4]; /* seconds after the sandbox's start */
	uint8_t cpu_ms[PROCESSES_MAX * 4];
	char names[PROCESSES_MAX * TASK_COMM_LEN];
	uint32_t names_len;
};

static void list_process(struct listing *l, const struct process *p)
{
	struct rusage_acc use;
	uint32_t at = l->n++ * 4;
	struct task *t = p->leader;

	process_usage(p, &use);
	const struct pid_ns *ns = p->container->nsproxy->pid_for_children;
	fdt_store32(l->pid + at, (uint32_t)pid_nr_ns(p->pid, ns));
	fdt_store32(l->ppid + at, p->parent ? (uint32_t)pid_nr_ns(p->parent->pid, ns) : 0);
	fdt_store32(l->uid + at, t ? task_kuid(t) : 0);
	fdt_store32(l->tty + at, p->tty ? p->tty->major << 20 | p->tty->minor : 0);
	fdt_store32(l->start + at, (uint32_t)(p->start_ns / 1000000000));
	fdt_store32(l->cpu_ms + at, (uint32_t)((use.utime_ns + use.stime_ns) / 1000000));
	l->names_len += (uint32_t)strlcpy(l->names + l->names_len, t ? t->comm : "?", TASK_COMM_LEN) + 1;
}

static void write_listing(struct fdt_writer *w, const struct listing *l)
{
	fdtw_prop(w, "pids", l->pid, l->n * 4);
	fdtw_prop(w, "ppids", l->ppid, l->n * 4);
	fdtw_prop(w, "uids", l->uid, l->n * 4);
	fdtw_prop(w, "ttys", l->tty, l->n * 4);
	fdtw_prop(w, "starts", l->start, l->n * 4);
	fdtw_prop(w, "cpu-ms", l->cpu_ms, l->n * 4);
	fdtw_prop(w, "names", l->names, l->names_len);
}

int control_processes(const struct fdt *f, struct fdt_writer *w)
{
	struct container *c = control_container(f);
	struct listing *l = kzalloc(sizeof(*l));
	struct process *p;

	if (!c || !l) {
		kfree(l);
		if (c)
			container_put(c);
		return c ? -ENOMEM : -ENOENT;
	}
	uint32_t owners = control_owners(c, l->pid, PROCESSES_MAX);
	fdtw_prop(w, "host-pids", l->pid, owners * 4);
	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &process_list, all_link)
		if (p->container == c && !p->zombie && l->n < PROCESSES_MAX)
			list_process(l, p);
	spin_unlock(&tasklist_lock);
	write_listing(w, l);
	fdtw_u32(w, "uptime", (uint32_t)(clock_since_start() / 1000000000));
	kfree(l);
	container_put(c);
	return 0;
}

int control_update(const struct fdt *f)
{
	struct container *c = control_container(f);

	if (!c)
		return -ENOENT;
	container_read_limits(f, 0, c);
	container_put(c);
	return 0;
}
