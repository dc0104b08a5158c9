// SPDX-License-Identifier: Apache-2.0
/*
 * Sockets in flight: those whose files wait in messages of other sockets (SCM_RIGHTS).
 *
 * A socket that only messages refer to, in queues of sockets of which the same is true, can never be received: a cycle. It
 * is found as Linux does: candidates are sockets all of whose references are in flight; what a socket outside the
 * candidates still carries, and what that leads to, is reachable; the messages of the others are thrown away.
 *
 * gc.lock is held for the whole search and for every change of the number in flight, so nothing lands meanwhile, and the
 * queue of a candidate has no reader: receiving the candidate itself would have to wait. It comes before unix_sock.lock,
 * and that of a listener before those of its embryos.
 */
#include "net/unix_sock.h"
#include "task/sched.h"
#include "task/task.h"
#include "task/user_count.h"

#define SEARCH_MIN 64u

static struct {
	spinlock_t lock;
	struct list_node list; /* unix_sock.flight_link of those in flight; lock */
	uint32_t nr;           /* messages' files that are sockets; lock, read racily */
	uint32_t enough;       /* so many that a search is worth its time: twice what the last one left; lock, read racily */
	bool running, again;   /* lock */
} gc = {SPINLOCK_INIT, LIST_INIT(gc.list), 0, SEARCH_MIN, false, false};

static struct unix_sock *unix_of_file(struct file *f)
{
	struct socket *s = file_socket(f);

	return s && s->family == AF_UNIX ? unix_of(s) : NULL;
}

/* Counts the files for their sender, who may have as many in flight as he may have open, and those of one message more. */
static int charge(struct scm *scm)
{
	const struct cred *c = current->cred;
	uint64_t limit = rlimit_cur(RLIMIT_NOFILE);

	if (limit == RLIM64_INFINITY || capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN))
		limit = UINT64_MAX - 1;
	scm->sender = c->uid;
	int err = user_count_add(c->uid, USER_FILES_IN_FLIGHT, scm->nfiles, limit + 1);
	return err == -EDQUOT ? -ETOOMANYREFS : err;
}

int unix_take_off(struct scm *scm)
{
	if (!scm->nfiles)
		return 0;
	int err = charge(scm);
	if (err) {
		while (scm->nfiles)
			file_put(scm->files[--scm->nfiles]);
		kfree(scm->files);
		scm->files = NULL;
		return err;
	}
	if (READ_ONCE(gc.nr) > READ_ONCE(gc.enough))
		unix_collect();
	spin_lock(&gc.lock);
	for (uint32_t i = 0; i < scm->nfiles; i++) {
		struct unix_sock *u = unix_of_file(scm->files[i]);

		if (!u)
			continue;
		u->file = scm->files[i];
		if (!u->inflight++)
			list_add_tail(&u->flight_link, &gc.list);
		gc.nr++;
	}
	spin_unlock(&gc.lock);
	return 0;
}

void unix_land(struct scm *scm)
{
	if (!scm->nfiles)
		return;
	user_count_sub(scm->sender, USER_FILES_IN_FLIGHT, scm->nfiles);
	spin_lock(&gc.lock);
	for (uint32_t i = 0; i < scm->nfiles; i++) {
		struct unix_sock *u = unix_of_file(scm->files[i]);

		if (!u)
			continue;
		if (!--u->inflight) {
			list_del(&u->flight_link);
			list_init(&u->flight_link);
		}
		gc.nr--;
	}
	spin_unlock(&gc.lock);
}

void unix_peeked(void)
{
	spin_lock(&gc.lock);
	spin_unlock(&gc.lock);
}

/* Calls fn for every socket that waits in u's queue, or in those of connections that u has not accepted. */
static void each_carried(struct unix_sock *u, void (*fn)(struct unix_sock *child, struct list_node *arg), struct list_node *arg)
{
	struct unix_sock *embryo;
	struct unix_msg *msg;

	spin_lock(&u->lock);
	list_for_each_entry(msg, &u->queue, link) {
		for (uint32_t i = 0; i < msg->scm.nfiles; i++) {
			struct unix_sock *child = unix_of_file(msg->scm.files[i]);

			if (child && child->candidate)
				fn(child, arg);
		}
	}
	list_for_each_entry(embryo, &u->backlog, backlog_link)
		each_carried(embryo, fn, arg); /* which has no backlog */
	spin_unlock(&u->lock);
}

static void one_less(struct unix_sock *child, struct list_node *arg)
{
	child->outside--;
}

static void reachable(struct unix_sock *child, struct list_node *list)
{
	child->candidate = false;
	list_move_tail(&child->flight_link, list);
}

/* Messages of u that carry files go to hits. */
static void throw_away(struct unix_sock *u, struct list_node *hits)
{
	struct unix_sock *embryo;
	struct list_node *n, *next;

	spin_lock(&u->lock);
	for (n = u->queue.next; n != &u->queue; n = next) {
		struct unix_msg *msg = list_entry(n, struct unix_msg, link);

		next = n->next;
		if (!msg->scm.nfiles)
			continue;
		list_move_tail(n, hits);
		u->nmsgs--;
		u->queued -= msg->len - msg->off;
	}
	list_for_each_entry(embryo, &u->backlog, backlog_link)
		throw_away(embryo, hits);
	spin_unlock(&u->lock);
}

static void move_all(struct list_node *from, struct list_node *to)
{
	while (!list_empty(from))
		list_move_tail(from->next, to);
}

/* gc.lock held. */
static void search(struct list_node *hits)
{
	struct list_node candidates = LIST_INIT(candidates), reached = LIST_INIT(reached), *n, *next;
	struct unix_sock *u;

	for (n = gc.list.next; n != &gc.list; n = next) {
		u = list_entry(n, struct unix_sock, flight_link);
		next = n->next;
		if ((uint32_t)atomic_load(&u->file->refs.n) != u->inflight)
			continue;
		u->candidate = true;
		u->outside = u->inflight;
		list_move_tail(n, &candidates);
	}
	list_for_each_entry(u, &candidates, flight_link)
		each_carried(u, one_less, NULL);
	for (n = candidates.next; n != &candidates; n = next) {
		u = list_entry(n, struct unix_sock, flight_link);
		next = n->next;
		if (u->outside)
			reachable(u, &reached);
	}
	list_for_each_entry(u, &reached, flight_link) /* grows at its end */
		each_carried(u, reachable, &reached);
	list_for_each_entry(u, &candidates, flight_link) {
		u->candidate = false;
		throw_away(u, hits);
	}
	move_all(&candidates, &gc.list);
	move_all(&reached, &gc.list);
}

void unix_collect(void)
{
	struct list_node hits = LIST_INIT(hits);

	if (!READ_ONCE(gc.nr))
		return;
	spin_lock(&gc.lock);
	gc.again = true;
	if (gc.running) {
		spin_unlock(&gc.lock);
		return;
	}
	gc.running = true;
	while (gc.again) {
		gc.again = false;
		search(&hits);
		spin_unlock(&gc.lock);
		while (!list_empty(&hits)) {
			struct unix_msg *msg = list_first(&hits, struct unix_msg, link);

			list_del(&msg->link);
			unix_msg_free(msg);
		}
		cond_resched();
		spin_lock(&gc.lock);
	}
	gc.running = false;
	gc.enough = 2 * gc.nr + SEARCH_MIN;
	spin_unlock(&gc.lock);
}

/* The last message of a long chain of sockets that carry each other would otherwise free all of it by recursion. */
void unix_drop_files(struct unix_msg *msg)
{
	struct list_node mine = LIST_INIT(mine), *outer = current->dropped_msgs;

	unix_land(&msg->scm);
	if (outer) {
		list_add_tail(&msg->link, outer);
		return;
	}
	current->dropped_msgs = &mine;
	list_add_tail(&msg->link, &mine);
	while (!list_empty(&mine)) {
		msg = list_first(&mine, struct unix_msg, link);
		list_del(&msg->link);
		scm_destroy(&msg->scm);
		kfree(msg);
	}
	current->dropped_msgs = NULL;
}
