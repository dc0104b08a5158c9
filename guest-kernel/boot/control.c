/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control messages from runsc's commands (abi/control.h), answered by a kernel task: signal, wait, processes. "exec"
 * and "debug" are answered with EOPNOTSUPP.
 */
#include "abi/control.h"

#include <linux/eventpoll.h>

#include "boot/boot.h"
#include "boot/events.h"
#include "lib/fdt_write.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/page.h"
#include "fs/tty/tty.h"
#include "signal/signal.h"
#include "task/task.h"

#define REPLY_MAX 0x10000u
#define MESSAGE_ORDER 6 /* 256 KiB = CTL_MESSAGE_MAX */
#define REPLY_ORDER   4

static struct {
	struct wait_queue wait;
	uint32_t pending; /* atomic */
} control;

void control_wake(void)
{
	atomic_store(&control.pending, 1);
	wake_up_all(&control.wait);
}

/* Every process but init gets the signal, as kill(-1) would, and init too. */
static int signal_everyone(const siginfo_t *si)
{
	struct process *p;
	int n = 0;

	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &process_list, all_link)
		if (!p->zombie && signal_send_process_locked(p, si) == 0)
			n++;
	spin_unlock(&tasklist_lock);
	return n ? 0 : -ESRCH;
}

static int handle_signal(const struct fdt *f)
{
	int signo = (int)fdt_u32(f, 0, "signo", 0), pid = (int)fdt_u32(f, 0, "pid", 0);
	siginfo_t si;
	uint32_t len;

	if (signo < 0 || signo > NSIG_)
		return -EINVAL;
	/* The terminal of the command outside changed its size: whoever is in its foreground here hears of it. */
	if (signo == SIGWINCH && !pid && tty_host_check_size())
		return 0;
	siginfo_kernel(&si, signo); /* from outside the container: init may be killed by it */
	si.si_code = SI_USER;
	if (fdt_prop(f, 0, "all", &len) && (len == 0 || fdt_u32(f, 0, "all", 0)))
		return signo ? signal_everyone(&si) : 0;
	struct process *p = pid ? process_find(pid) : container0.init;
	if (!p)
		return -ESRCH;
	int err = p->zombie ? -ESRCH : signo ? signal_send_from_host(p, &si) : 0;
	if (pid)
		process_put(p);
	return err;
}

static void handle_processes(struct fdt_writer *w)
{
	struct process *p;
	uint8_t *pids = kmalloc(REPLY_MAX / 2);
	uint32_t n = 0;

	if (!pids)
		return;
	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &process_list, all_link) {
		if (p->zombie || n + 4 > REPLY_MAX / 2)
			continue;
		fdt_store32(pids + n, (uint32_t)p->pid);
		n += 4;
	}
	spin_unlock(&tasklist_lock);
	fdtw_prop(w, "pids", pids, n);
	kfree(pids);
}

static void answer(const struct fdt *f, void *reply)
{
	const char *type = fdt_string(f, 0, "type");
	uint32_t id = fdt_u32(f, 0, "id", 0);
	struct fdt_writer w;
	int err = 0;

	fdtw_init(&w, reply, REPLY_MAX);
	if (!type)
		err = -EINVAL;
	else if (strcmp(type, "signal") == 0)
		err = handle_signal(f);
	else if (strcmp(type, "processes") == 0)
		handle_processes(&w);
	else
		err = -EOPNOTSUPP;
	fdtw_u32(&w, "error", (uint32_t)err);
	if (err == -EOPNOTSUPP)
		fdtw_string(&w, "message", "the sandbox does not know this request");
	uint32_t len = fdtw_finish(&w);
	int64_t r = hostcall3(HC_CTL_REPLY, id, reply, len);
	if (r < 0)
		pr_debug("control reply %u refused: %ld", id, -r);
}

static void control_main(void *arg)
{
	struct page *in = page_alloc(MESSAGE_ORDER, 0), *out = page_alloc(REPLY_ORDER, 0);

	if (!in || !out) {
		pr_err("no memory for control messages");
		return;
	}
	for (;;) {
		struct fdt f;
		int64_t n = hostcall2(HC_CTL_NEXT, page_address(in), CTL_MESSAGE_MAX);
		if (n <= 0) {
			wait_event(&control.wait, atomic_xchg(&control.pending, 0));
			continue;
		}
		if (fdt_open(&f, page_address(in), (size_t)n) == 0)
			answer(&f, page_address(out));
		else
			pr_warn("malformed control message");
	}
}

/* The task and its buffers exist only once a message comes: most sandboxes never get one. */
static void control_first(void *arg)
{
	wait_event(&control.wait, atomic_load(&control.pending));
	atomic_store(&control.pending, 0);
	control_main(arg);
}

void control_init(void)
{
	wait_queue_init(&control.wait);
	if (!kthread_create("control", control_first, NULL))
		panic("no memory for the control task");
}
