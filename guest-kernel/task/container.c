/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers: the list of them, and their first processes. The first container comes with the boot tree (/container,
 * abi/control.h); if it cannot be started, the sandbox ends with one clear message and status 128.
 */
#include "task/container.h"

#include "boot/boot.h"
#include "boot/events.h"
#include "fs/container_fs.h"
#include "fs/tty/tty.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "signal/signal.h"
#include "task/futex.h"
#include "task/seccomp.h"
#include "task/task.h"

#define EXIT_SETUP 128

struct container container0 = {
	.refs = {1}, .link = LIST_INIT(container0.link), .thaw = WAIT_QUEUE_INIT(container0.thaw),
	.start_wait = WAIT_QUEUE_INIT(container0.start_wait),
};

static struct {
	spinlock_t lock; /* "containers_lock" */
	struct list_node list;
} containers = {.list = LIST_INIT(containers.list)};

/* ---- the list ---- */
struct container *container_find(const char *id)
{
	struct container *c, *found = NULL;

	spin_lock(&containers.lock);
	list_for_each_entry(c, &containers.list, link) {
		if (id && *id ? strcmp(c->id, id) == 0 : c == &container0) {
			found = c;
			container_get(c);
			break;
		}
	}
	spin_unlock(&containers.lock);
	return found;
}

void container_put(struct container *c)
{
	if (!ref_put(&c->refs))
		return;
	BUG_ON(c == &container0);
	spin_lock(&containers.lock);
	list_del(&c->link);
	spin_unlock(&containers.lock);
	kfree(c);
}

struct container *container_alloc(const char *id)
{
	struct container *c = kzalloc(sizeof(*c));

	if (!c)
		return NULL;
	ref_init(&c->refs);
	list_init(&c->link);
	strlcpy(c->id, id, sizeof(c->id));
	wait_queue_init(&c->thaw);
	wait_queue_init(&c->start_wait);
	return c;
}

void container_add(struct container *c)
{
	spin_lock(&containers.lock);
	list_add_tail(&c->link, &containers.list);
	spin_unlock(&containers.lock);
}

int container_charge_task(struct container *c)
{
	uint64_t limit = READ_ONCE(c->pids_limit);

	if (atomic_add(&c->nr_tasks, 1) > limit && limit) {
		atomic_sub(&c->nr_tasks, 1);
		atomic_add(&c->cgroup.pids_refused, 1);
		return -EAGAIN;
	}
	return 0;
}

void container_uncharge_task(struct container *c)
{
	/* The last one of a container that has ended: it can be forgotten. */
	if (atomic_sub(&c->nr_tasks, 1) == 0 && unlikely(atomic_load(&c->ended)))
		control_wake();
}

/* ---- first processes ---- */
static NORETURN void fail(int err)
{
	(void)container_refuse(err, "the Sentry cannot start it");
	container_started(&container0, err);
	(void)hostcall3(HC_EXIT, EXIT_SETUP << 8, current->refusal, current->refusal ? strlen(current->refusal) : 0);
	for (;;)
		(void)hostcall1(HC_IDLE, UINT64_MAX);
}

static void read_identity(struct container *c, const struct fdt *f, int node)
{
	const char *id = fdt_string(f, node, "id"), *host = fdt_string(f, node, "hostname");
	struct uts_ns *uts = current->nsproxy->uts;

	strlcpy(c->id, id ? id : "", sizeof(c->id));
	/* Who shares the name does not change it. */
	if (c == &container0 || uts != container0.nsproxy->uts)
		strlcpy(uts->nodename, host && *host ? host : boot.hostname, sizeof(uts->nodename));
	uint32_t len;
	c->cgroup.v2 = fdt_prop(f, node, "cgroup-v2", &len);
	container_read_limits(f, node, c);
	const char *domain = fdt_string(f, node, "domainname");
	if (domain && *domain && (c == &container0 || uts != container0.nsproxy->uts))
		strlcpy(uts->domainname, domain, sizeof(uts->domainname));
	c->mortal_init = fdt_prop(f, node, "mortal-init", &len) != NULL;
	c->personality = fdt_u32(f, node, "personality", 0);
}

static int read_seccomp(struct container *c, const struct fdt *f, int node)
{
	uint32_t len, log_len;
	const void *program = fdt_prop(f, node, "seccomp", &len);

	if (!program)
		return 0;
	struct seccomp_filter *s = seccomp_filter_create(program, len, fdt_prop(f, node, "seccomp-log", &log_len) != NULL);
	if (IS_ERR(s))
		return container_refuse(PTR_ERR(s), "linux.seccomp");
	c->seccomp = s;
	return 0;
}

int container_init_start(struct container *c, const struct fdt *f, int node, int io_node)
{
	read_identity(c, f, node);
	int err = read_seccomp(c, f, node);
	if (!err)
		err = container_mount_all(f, node);
	if (!err)
		err = container_adjust_paths(f, node);
	if (!err)
		return container_process_start(f, node, io_node);
	container_drop_io(f, io_node, 0);
	return err;
}

static void init_main(void *arg)
{
	sched_first_switch();
	int node = fdt_child(&boot.fdt, 0, "container");
	int err = node < 0 ? container_refuse(-EINVAL, "the boot tree has no /container")
	                   : container_init_start(&container0, &boot.fdt, node, node);
	if (err)
		fail(err);
	container_started(&container0, 0);
	task_user_loop(current);
}

/* Everything that a task and its process need; what was done stays with them for task_discard. */
static int fill_process(struct task *t, struct container *c, const char *name)
{
	struct process *p = t->proc;

	if (process_signal_init(p, NULL) || process_timers_init(p))
		return -ENOMEM;
	task_signal_init(t);
	futex_task_init(t);
	t->nsproxy = nsproxy_get(c->nsproxy);
	int err = task_set_tid(t, t->nsproxy->pid_for_children, NULL, 0);
	if (err)
		return err;
	t->cred = cred_copy(&kernel_cred);
	t->files = files_create();
	t->fs = fs_context_create_in(t->nsproxy->mnt);
	if (!t->cred || !t->files || !t->fs)
		return -ENOMEM;
	task_fpu_reset(t);
	strlcpy(t->comm, name, sizeof(t->comm));
	process_set_pid(p, t);
	p->pgid = p->sid = t->tid;
	p->session_leader = true;
	p->exit_signal = SIGCHLD;
	p->start_ns = t->start_ns = clock_since_start();
	for (int i = 0; i < RLIM_NLIMITS; i++)
		p->rlim[i] = (struct rlimit64){RLIM64_INFINITY, RLIM64_INFINITY};
	return 0;
}

struct task *container_new_process(struct container *c, const char *name, void (*fn)(void *), void *arg)
{
	int err = container_charge_task(c);

	if (err)
		return ERR_PTR(err);
	struct task *t = task_alloc();
	struct process *p = t ? process_alloc(c) : NULL;
	if (!p) {
		if (t)
			task_put(t);
		container_uncharge_task(c);
		return ERR_PTR(-ENOMEM);
	}
	t->proc = p;
	err = fill_process(t, c, name);
	if (err) {
		task_discard(t);
		container_uncharge_task(c);
		return ERR_PTR(err);
	}
	sched_fork(t, current);
	sched_cpu_mask(t->sched.affinity);
	t->sched.policy = 0;
	t->sched.nice = 0;
	t->sched.ksp = arch_new_context(t->kstack, fn, arg);
	return t;
}

int container_start_process(struct task *t)
{
	struct process *p = t->proc;
	struct pid_ns *ns = p->pid_ns;

	spin_lock(&tasklist_lock);
	/* Who ends a container clears its init before he kills what is in it. */
	if (ns->closed || (p->vpid != 1 && !ns->init) || !p->container->init) {
		spin_unlock(&tasklist_lock);
		return -ESRCH;
	}
	task_get(t);    /* the running task's */
	process_get(p); /* the tree's */
	spin_lock(&p->sig.lock);
	list_add_tail(&p->all_link, &process_list);
	pid_ref(p->pgid);
	pid_ref(p->sid);
	if (p->vpid == 1)
		ns->init = p;
	task_link(t);
	spin_unlock(&p->sig.lock);
	spin_unlock(&tasklist_lock);
	task_start(t);
	return 0;
}

void container_spawn(const struct fdt *f)
{
	container0.nsproxy = nsproxy_container(&init_nsproxy, CLONE_NEWPID);
	if (IS_ERR(container0.nsproxy))
		panic("no memory for the first process");
	struct task *t = container_new_process(&container0, "init", init_main, NULL);
	if (IS_ERR(t))
		panic("no memory for the first process");
	container0.init = t->proc;
	container_add(&container0);
	if (container_start_process(t))
		panic("the first process cannot start");
}

/* ---- the end ---- */
/* Those that do not share its pid namespace are killed with that. */
static void kill_all(struct container *c)
{
	struct process *p;
	siginfo_t si;

	siginfo_kernel(&si, SIGKILL);
	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &process_list, all_link)
		if (p->container == c && p != current->proc)
			(void)signal_send_process_locked(p, &si);
	spin_unlock(&tasklist_lock);
}

void container_end(struct container *c)
{
	spin_lock(&tasklist_lock);
	c->init = NULL;
	spin_unlock(&tasklist_lock);
	container_never_started(c);
	spin_lock(&containers.lock);
	c->id[0] = 0; /* another one may have it now */
	spin_unlock(&containers.lock);
	kill_all(c);
	atomic_store(&c->ended, true);
	control_wake();
}

static struct container *take_ended(void)
{
	struct container *c, *found = NULL;

	spin_lock(&containers.lock);
	list_for_each_entry(c, &containers.list, link) {
		if (atomic_load(&c->ended) && !atomic_load(&c->nr_tasks)) {
			list_del(&c->link);
			found = c;
			break;
		}
	}
	spin_unlock(&containers.lock);
	return found;
}

void container_reap(void)
{
	struct container *c;

	while ((c = take_ended())) {
		if (c->nsproxy)
			nsproxy_put(c->nsproxy);
		c->nsproxy = NULL;
		tty_put(c->console);
		c->console = NULL;
		seccomp_filter_put(c->seccomp);
		c->seccomp = NULL;
		container_put(c);
	}
}

/* ---- pause ---- */
#define FREEZE_STEP_NS  1000000UL
#define FREEZE_LIMIT_NS 5000000000UL

static void sleep_ns(uint64_t ns)
{
	task_prepare_wait(false);
	(void)task_sleep(clock_monotonic() + ns);
	task_finish_wait();
}

int container_freeze(struct container *c)
{
	uint64_t deadline = clock_monotonic() + FREEZE_LIMIT_NS;

	/* Whoever takes a kick looks here before it enters ring 3, and so does a task that is switched to (user_loop.c). */
	(void)atomic_xchg(&c->frozen, true);
	sched_kick_all();
	for (unsigned cpu = 0; cpu < sched_nr_cpus(); cpu++) {
		uint32_t seen = sched_passages(cpu);
		while ((seen & 1) && sched_passages(cpu) == seen) {
			(void)hostcall1(HC_KICK, cpu);
			sleep_ns(FREEZE_STEP_NS);
			if (clock_monotonic() > deadline) {
				container_thaw(c);
				return -EBUSY;
			}
		}
	}
	return 0;
}

void container_thaw(struct container *c)
{
	atomic_store(&c->frozen, false);
	wake_up_all(&c->thaw);
}

void container_wait_thawed(void)
{
	struct container *c = current->proc->container;

	(void)!wait_event_killable(&c->thaw, !atomic_load(&c->frozen));
}
