// SPDX-License-Identifier: Apache-2.0
/*
 * Propagation of mounts (mount_namespaces(7), "Shared subtrees").
 *
 * A shared mount is in a group of peers (a ring, and a number that names it). A slave receives from its master's group;
 * the peers of a group that is itself slave have one master, and each of them is on that one's list. What happens at a
 * mount reaches its peers, their slaves, those slaves' peers and slaves, and so on: mount_next_receiver walks all of
 * them, each once, without recursion, since chains of slaves may be as long as an application makes them.
 */
#include "fs/mount.h"

#include <linux/mount.h>

#include "fs/namei.h"

static int last_group; /* mount_lock */

static struct mount *next_peer(struct mount *m) { return list_entry(m->peers.next, struct mount, peers); }

/* Who takes m's place as a master when it leaves its group: a peer that shows the same, if there is one. */
static struct mount *successor(struct mount *m)
{
	struct mount *p = next_peer(m);

	for (struct mount *i = p; i != m; i = next_peer(i))
		if (i->root == m->root)
			return i;
	return p;
}

static void set_master(struct mount *m, struct mount *master)
{
	list_del(&m->slave_link);
	m->master = master;
	if (master)
		list_add_tail(&m->slave_link, &master->slaves);
}

static void make_slave(struct mount *m)
{
	struct mount *master = m->master;

	if (!list_empty(&m->peers)) {
		master = successor(m);
		list_del(&m->peers);
	}
	m->group = 0;
	while (!list_empty(&m->slaves))
		set_master(list_first(&m->slaves, struct mount, slave_link), master);
	set_master(m, master);
}

void mount_set_type(struct mount *m, uint32_t type)
{
	if (type == MS_SHARED) {
		if (!m->group)
			m->group = ++last_group;
		m->unbindable = false;
		return;
	}
	make_slave(m);
	if (type != MS_SLAVE)
		set_master(m, NULL);
	m->unbindable = type == MS_UNBINDABLE;
}

void mount_join_groups(struct mount *clone, struct mount *old, bool slave)
{
	if (slave) {
		set_master(clone, old);
		return;
	}
	if (old->group) {
		clone->group = old->group;
		list_add(&clone->peers, &old->peers);
	}
	if (old->master)
		set_master(clone, old->master);
}

struct mount *mount_next_receiver(struct mount *m, struct mount *origin)
{
	if (!list_empty(&m->slaves))
		return list_first(&m->slaves, struct mount, slave_link);
	for (;;) {
		struct mount *master = m->master;
		if (master == origin->master) {
			struct mount *next = next_peer(m);
			return next == origin ? NULL : next;
		}
		if (m->slave_link.next != &master->slaves)
			return list_entry(m->slave_link.next, struct mount, slave_link);
		m = master; /* all its slaves were visited */
	}
}

static struct mount *find_done(const struct mount *m, const struct receiver *done, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (done[i].at == m || (m->group && done[i].at->group == m->group))
			return done[i].copy;
	return NULL;
}

struct mount *mount_source_for(const struct mount *m, const struct receiver *done, uint32_t n, bool *slave)
{
	struct mount *copy = find_done(m, done, n);

	*slave = !copy;
	for (const struct mount *up = m->master; up && !copy; up = up->master)
		copy = find_done(up, done, n);
	return copy ? copy : done[0].copy;
}

/* Can the current task's root reach m? */
static bool is_visible(const struct mount *m)
{
	return mount_is_ours(m) && mount_in_tree(m);
}

int mount_dominating_group(const struct mount *m)
{
	for (const struct mount *up = m->master; up; up = up->master) {
		const struct mount *p = up;
		do {
			if (is_visible(p))
				return up == m->master ? 0 : p->group;
			p = list_entry(p->peers.next, struct mount, peers);
		} while (p != up);
	}
	return 0;
}
