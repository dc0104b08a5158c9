/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that wait for the end of a process. Who takes a watch off the list, under watches.lock, answers it; so each is
 * answered once, whether the process ends, the client leaves, or both.
 */
#include "boot/control.h"

#include "lib/log.h"
#include "lib/string.h"
#include "mm/page.h"
#include "signal/signal.h"
#include "task/task.h"

struct watch {
	struct list_node link; /* watches.lock */
	uint32_t request;
	struct process *proc;  /* a reference */
	bool owner;
	uint32_t host_pid;     /* of an owner, or 0 */
};

static struct {
	spinlock_t lock;
	struct list_node list;
} watches = {.list = LIST_INIT(watches.list)};

static void reply_end(uint32_t request, int status)
{
	uint8_t buf[192];
	struct fdt_writer w;

	fdtw_init(&w, buf, sizeof(buf));
	fdtw_u32(&w, "status", (uint32_t)status);
	control_reply(request, &w, 0, NULL, false);
}

/* Off the list, or NULL. */
static struct watch *take(uint32_t request)
{
	struct watch *w, *found = NULL;

	spin_lock(&watches.lock);
	list_for_each_entry(w, &watches.list, link) {
		if (w->request == request) {
			found = w;
			list_del(&w->link);
			break;
		}
	}
	spin_unlock(&watches.lock);
	return found;
}

static void watch_free(struct watch *w)
{
	process_put(w->proc);
	kfree(w);
}

int control_watch(uint32_t request, struct process *p, bool owner, uint32_t host_pid)
{
	struct watch *w = kzalloc(sizeof(*w));

	if (!w)
		return -ENOMEM;
	list_init(&w->link);
	w->request = request;
	w->owner = owner;
	w->host_pid = host_pid;
	w->proc = p;
	process_get(p);
	spin_lock(&watches.lock);
	list_add_tail(&w->link, &watches.list);
	spin_unlock(&watches.lock);
	(void)atomic_xchg(&p->watched, true);
	/* It may have ended just before. */
	spin_lock(&tasklist_lock);
	bool ended = p->zombie;
	int status = p->exit_status;
	spin_unlock(&tasklist_lock);
	if (ended)
		control_process_ended(p, status);
	return 0;
}

bool control_unwatch(uint32_t request)
{
	struct watch *w = take(request);

	if (w)
		watch_free(w);
	return w != NULL;
}

void control_closed(uint32_t request)
{
	struct watch *w = take(request);
	siginfo_t si;

	if (!w)
		return;
	reply_end(request, 0); /* nobody reads it, but the host keeps the request until then */
	if (w->owner) {
		siginfo_kernel(&si, SIGKILL);
		(void)signal_send_from_host(w->proc, &si);
	}
	watch_free(w);
}

struct process *control_watched(uint32_t request)
{
	struct process *p = NULL;
	struct watch *w;

	spin_lock(&watches.lock);
	list_for_each_entry(w, &watches.list, link) {
		if (w->request == request && w->owner) {
			p = w->proc;
			process_get(p);
			break;
		}
	}
	spin_unlock(&watches.lock);
	return p;
}

/* One that waits for p, off the list, or NULL. */
static struct watch *take_of(struct process *p)
{
	struct watch *w, *found = NULL;

	spin_lock(&watches.lock);
	list_for_each_entry(w, &watches.list, link) {
		if (w->proc == p) {
			found = w;
			list_del(&w->link);
			break;
		}
	}
	spin_unlock(&watches.lock);
	return found;
}

void control_process_ended(struct process *p, int status)
{
	struct watch *w;

	while ((w = take_of(p))) {
		reply_end(w->request, status);
		watch_free(w);
	}
}

uint32_t control_owners(const struct container *c, uint8_t *cells, uint32_t max)
{
	struct watch *w;
	uint32_t n = 0;

	spin_lock(&watches.lock);
	list_for_each_entry(w, &watches.list, link)
		if (w->owner && w->host_pid && w->proc->container == c && n < max)
			fdt_store32(cells + 4 * n++, w->host_pid);
	spin_unlock(&watches.lock);
	return n;
}
