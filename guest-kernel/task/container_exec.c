/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Further processes of a running container (runsc exec). Each begins outside the container: it has no parent there, a
 * session of its own, and the container's root. Its request hears first whether the program could be started, then, as
 * its owner (boot/control_watch.c), of its end.
 */
#include "boot/control.h"
#include "fs/container_fs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/page.h"
#include "task/container.h"
#include "task/task.h"

#define REFUSAL_MAX 1024u

/* What the new task needs of the message, which the control task forgets. */
struct exec_start {
	uint32_t request;
	struct fdt fdt;
	void *message;
};

static void exec_free(struct exec_start *x)
{
	kfree(x->message);
	kfree(x);
}

static void reply_started(uint32_t request, int pid)
{
	uint8_t buf[192];
	struct fdt_writer w;

	fdtw_init(&w, buf, sizeof(buf));
	fdtw_u32(&w, "pid", (uint32_t)pid);
	fdtw_u32(&w, "exec", request);
	control_reply(request, &w, 0, NULL, true);
}

static void reply_refused(uint32_t request, int err, const char *why)
{
	struct fdt_writer w;
	uint8_t small[160], *buf;

	if (!control_unwatch(request))
		return; /* killed meanwhile, and told so */
	buf = kmalloc(REFUSAL_MAX);
	fdtw_init(&w, buf ? buf : small, buf ? REFUSAL_MAX : sizeof(small));
	control_reply(request, &w, err, buf ? why : NULL, false);
	kfree(buf);
}

static void exec_main(void *arg)
{
	struct exec_start *x = arg;
	struct task *t = current;

	sched_first_switch();
	int node = fdt_child(&x->fdt, 0, "process");
	int err = container_enter_root();
	if (!err)
		err = node < 0 ? -EINVAL : container_process_start(&x->fdt, node, 0);
	if (err)
		reply_refused(x->request, err, t->refusal);
	else
		reply_started(x->request, t->proc->vpid);
	exec_free(x);
	if (err)
		task_exit_group(128 << 8);
	task_user_loop(t);
}

static struct exec_start *exec_copy(const struct fdt *f, uint32_t request)
{
	struct exec_start *x = kzalloc(sizeof(*x));

	if (!x)
		return NULL;
	x->request = request;
	x->message = kmalloc(f->size);
	if (!x->message) {
		kfree(x);
		return NULL;
	}
	memcpy(x->message, f->base, f->size);
	if (fdt_open(&x->fdt, x->message, f->size)) {
		exec_free(x);
		return NULL;
	}
	return x;
}

static int start(struct container *c, const struct fdt *f, uint32_t request)
{
	if (!READ_ONCE(c->init))
		return -ESRCH;
	struct exec_start *x = exec_copy(f, request);
	if (!x)
		return -ENOMEM;
	struct task *t = container_new_process(c, "exec", exec_main, x);
	if (IS_ERR(t)) {
		exec_free(x);
		return PTR_ERR(t);
	}
	int err = control_watch(request, t->proc, true, fdt_u32(f, 0, "host-pid", 0));
	if (err) {
		task_discard(t);
		container_uncharge_task(c);
		exec_free(x);
		return err;
	}
	err = container_start_process(t);
	if (err) {
		if (!control_unwatch(request))
			err = 0; /* it heard the reason already */
		task_discard(t);
		container_uncharge_task(c);
		exec_free(x);
	}
	return err;
}

int container_exec(const struct fdt *f, uint32_t request)
{
	struct container *c = control_container(f);
	int err = c ? start(c, f, request) : -ENOENT;

	if (err)
		container_drop_io(f, 0, 0);
	if (c)
		container_put(c);
	return err;
}
