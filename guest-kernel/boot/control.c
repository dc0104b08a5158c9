/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control messages from runsc's commands, taken by a kernel task one after the other. What lasts is done by others: a
 * process that is being started answers for itself, a wait is answered by the process that ends.
 */
#include "boot/control.h"

#include "abi/control.h"
#include "boot/boot.h"
#include "boot/events.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/page.h"
#include "task/task.h"

#define MESSAGE_ORDER 6 /* 256 KiB = CTL_MESSAGE_MAX */
#define REPLY_ORDER   4 /* 64 KiB = CONTROL_REPLY_MAX */

static struct {
	struct wait_queue wait;
	uint32_t pending; /* atomic */
} control;

void control_wake(void)
{
	atomic_store(&control.pending, 1);
	wake_up_all(&control.wait);
}

struct container *control_container(const struct fdt *f)
{
	return container_find(fdt_string(f, 0, "container"));
}

void control_reply(uint32_t request, struct fdt_writer *w, int err, const char *message, bool more)
{
	fdtw_u32(w, "error", (uint32_t)err);
	if (message)
		fdtw_string(w, "message", message);
	uint32_t len = fdtw_finish(w);
	int64_t r = hostcall4(HC_CTL_REPLY, request, w->buf, len, more);
	if (r < 0)
		pr_debug("control reply %u refused: %ld", request, -r);
}

static int dispatch(const struct fdt *f, const char *type, uint32_t request, struct fdt_writer *w)
{
	if (strcmp(type, "signal") == 0)
		return control_signal(f);
	if (strcmp(type, "start") == 0)
		return control_start(f, request);
	if (strcmp(type, "processes") == 0)
		return control_processes(f, w);
	if (strcmp(type, "wait") == 0)
		return control_wait(f, request);
	if (strcmp(type, "exec") == 0)
		return control_exec(f, request);
	if (strcmp(type, "create") == 0)
		return control_create(f, request);
	if (strcmp(type, "pause") == 0 || strcmp(type, "resume") == 0)
		return control_pause(f, *type == 'p');
	if (strcmp(type, "update") == 0)
		return control_update(f);
	return -EOPNOTSUPP;
}

static const char *error_message(int err)
{
	switch (err) {
	case -EOPNOTSUPP:
		return "the sandbox does not know this request";
	case -EALREADY:
		return "the container has been started already";
	case -ENOENT:
		return "the container does not exist in the sandbox";
	case -ESRCH:
		return "no such process";
	default:
		return NULL;
	}
}

static void answer(const struct fdt *f, void *reply)
{
	const char *type = fdt_string(f, 0, "type");
	uint32_t id = fdt_u32(f, 0, "id", 0);
	struct fdt_writer w;

	if (type && strcmp(type, "closed") == 0) {
		control_closed(fdt_u32(f, 0, "request", 0));
		return;
	}
	fdtw_init(&w, reply, CONTROL_REPLY_MAX);
	int err = type ? dispatch(f, type, id, &w) : -EINVAL;
	if (err != CONTROL_LATER)
		control_reply(id, &w, err, error_message(err), false);
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
		container_reap();
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
