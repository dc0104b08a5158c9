/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that the host asks for: further ones of a running container (runsc exec), and the first ones of further
 * containers (runsc create in a pod). Each begins outside: it has no parent in the container, and a session of its own.
 * Its request hears first whether the program could be started (or the container set up), then, as its owner
 * (boot/control_watch.c), of its end.
 */
#include "boot/control.h"
#include "fs/container_fs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/page.h"
#include "task/container.h"
#include "task/namespace.h"
#include "task/task.h"

#define REFUSAL_MAX 1024u
#define EXIT_SETUP  128

/* What the new task needs of the message, which the control task forgets. */
struct request {
	uint32_t number;
	struct fdt fdt;
	void *message;
};

static void request_free(struct request *x)
{
	kfree(x->message);
	kfree(x);
}

static struct request *request_copy(const struct fdt *f, uint32_t number)
{
	struct request *x = kzalloc(sizeof(*x));

	if (!x)
		return NULL;
	x->number = number;
	x->message = kmalloc(f->size);
	if (!x->message) {
		kfree(x);
		return NULL;
	}
	memcpy(x->message, f->base, f->size);
	if (fdt_open(&x->fdt, x->message, f->size)) {
		request_free(x);
		return NULL;
	}
	return x;
}

void container_tell_started(uint32_t request)
{
	uint8_t buf[192];
	struct fdt_writer w;

	fdtw_init(&w, buf, sizeof(buf));
	fdtw_u32(&w, "pid", (uint32_t)current->proc->vpid);
	fdtw_u32(&w, "exec", request);
	control_reply(request, &w, 0, NULL, true);
}

static void tell_refused(uint32_t request, int err, const char *why)
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

/* The task t begins; or it, and the request's copy, are gone. */
static int start_owned(struct container *c, struct task *t, struct request *x)
{
	int err = control_watch(x->number, t->proc, true, fdt_u32(&x->fdt, 0, "host-pid", 0));

	if (!err) {
		err = container_start_process(t);
		if (!err)
			return 0;
		(void)control_unwatch(x->number); /* nobody else could take it: t never ran */
	}
	task_discard(t);
	container_uncharge_task(c);
	request_free(x);
	return err;
}

/* ---- exec ---- */
static void exec_main(void *arg)
{
	struct request *x = arg;

	sched_first_switch();
	int node = fdt_child(&x->fdt, 0, "process");
	int err = node < 0 ? -EINVAL : container_enter_root();
	if (err)
		container_drop_io(&x->fdt, 0, 0);
	else
		err = container_process_start(&x->fdt, node, 0);
	if (err)
		tell_refused(x->number, err, current->refusal);
	else
		container_tell_started(x->number);
	request_free(x);
	if (err)
		task_exit_group(EXIT_SETUP << 8);
	task_user_loop(current);
}

static int start_exec(struct container *c, const struct fdt *f, uint32_t request)
{
	if (!READ_ONCE(c->init))
		return -ESRCH;
	struct request *x = request_copy(f, request);
	if (!x)
		return -ENOMEM;
	struct task *t = container_new_process(c, "exec", exec_main, x);
	if (!IS_ERR(t)) {
		t->proc->from_host = true;
		return start_owned(c, t, x);
	}
	request_free(x);
	return PTR_ERR(t);
}

int container_exec(const struct fdt *f, uint32_t request)
{
	struct container *c = control_container(f);
	int err = c ? start_exec(c, f, request) : -ENOENT;

	if (err)
		container_drop_io(f, 0, 0);
	if (c)
		container_put(c);
	return err;
}

/* ---- create ---- */
static void create_main(void *arg)
{
	struct request *x = arg;
	struct container *c = current->proc->container;

	sched_first_switch();
	int err = container_init_start(c, &x->fdt, fdt_child(&x->fdt, 0, "container"), 0);
	container_started(c, err);
	if (err) {
		tell_refused(x->number, err, current->refusal);
		container_drop_mounts(&x->fdt);
	}
	request_free(x);
	if (err)
		task_exit_group(EXIT_SETUP << 8);
	task_user_loop(current);
}

static int start_container(struct container *c, const struct fdt *f, int node, uint32_t request)
{
	struct nsproxy *ns = nsproxy_container(container0.nsproxy, fdt_u32(f, node, "namespaces", 0) | CLONE_NEWNS);
	if (IS_ERR(ns))
		return PTR_ERR(ns);
	c->nsproxy = ns;
	c->create_request = request;
	struct request *x = request_copy(f, request);
	if (!x)
		return -ENOMEM;
	struct task *t = container_new_process(c, "init", create_main, x);
	if (IS_ERR(t)) {
		request_free(x);
		return PTR_ERR(t);
	}
	c->init = t->proc;
	int err = start_owned(c, t, x);
	if (err)
		c->init = NULL;
	return err;
}

static int new_container(const char *id, const struct fdt *f, int node, uint32_t request)
{
	struct container *c = container_find(id);

	if (c) {
		container_put(c);
		return -EEXIST;
	}
	c = container_alloc(id);
	if (!c)
		return -ENOMEM;
	/* Whoever finds it now finds it without an init; all who look run in this task. */
	container_add(c);
	int err = start_container(c, f, node, request);
	if (err) {
		atomic_store(&c->ended, true);
		container_reap();
	}
	return err;
}

int container_create(const struct fdt *f, uint32_t request)
{
	int node = fdt_child(f, 0, "container"), err = -EINVAL;
	const char *id = node >= 0 ? fdt_string(f, node, "id") : NULL;

	if (id && *id)
		err = new_container(id, f, node, request);
	if (err) {
		container_drop_io(f, 0, 0);
		container_drop_mounts(f);
	}
	return err;
}
