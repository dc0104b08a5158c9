/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container between `create` and `start`: its first process is set up and waits in here for the "start" message.
 *
 * start_state only grows: NONE (nobody holds it), HELD, GO (released by start_request, which is not answered yet), DONE.
 * Init moves NONE to HELD and anything to DONE, the control task HELD to GO. Who moves GO to DONE answers.
 */
#include "boot/control.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/page.h"
#include "signal/signal.h"
#include "task/container.h"
#include "task/task.h"

#define REPLY_MAX 1024u

enum { START_NONE, START_HELD, START_GO, START_DONE };

void container_hold(struct container *c)
{
	atomic_store(&c->start_state, START_HELD);
	if (c->create_request)
		container_tell_started(c->create_request);
	else
		(void)hostcall1(HC_CREATED, false);
	/* There are no handlers yet, so a signal is ignored, stops us, or is the end. */
	while (wait_event_interruptible(&c->start_wait, atomic_load(&c->start_state) >= START_GO))
		signal_deliver();
}

int container_release(struct container *c, uint32_t request)
{
	if (atomic_load(&c->start_state) != START_HELD)
		return -EALREADY;
	c->start_request = request;
	if (!atomic_cas(&c->start_state, START_HELD, START_GO))
		return -ESRCH; /* it ended */
	wake_up_all(&c->start_wait);
	return 0;
}

static void answer(struct container *c, int err, const char *why)
{
	struct fdt_writer w;
	uint8_t *buf = kmalloc(REPLY_MAX);

	if (!buf)
		return; /* whoever asked gives up in time */
	fdtw_init(&w, buf, REPLY_MAX);
	control_reply(c->start_request, &w, err, why, false);
	kfree(buf);
}

void container_started(struct container *c, int err)
{
	/* Nobody held it: whoever created it hears now. */
	if (atomic_load(&c->start_state) == START_NONE && c->create_request && !err)
		container_tell_started(c->create_request);
	if (atomic_cas(&c->start_state, START_GO, START_DONE))
		answer(c, err, err ? current->refusal : NULL);
}

void container_never_started(struct container *c)
{
	if (atomic_xchg(&c->start_state, START_DONE) == START_GO)
		answer(c, -ESRCH, "the container's first process was killed before its start");
}

bool container_is_mortal(const struct process *p)
{
	struct container *c = p->container;

	return p != READ_ONCE(c->init) || c->mortal_init || atomic_load(&c->start_state) == START_HELD;
}

void container_host_signal(int signo)
{
	struct process *p;
	siginfo_t si;

	if (signo < 1 || signo > NSIG_)
		return;
	spin_lock(&tasklist_lock);
	p = container0.init;
	if (p)
		process_get(p);
	spin_unlock(&tasklist_lock);
	if (!p)
		return;
	siginfo_kernel(&si, signo);
	si.si_code = SI_USER;
	(void)signal_send_from_host(p, &si);
	process_put(p);
}
