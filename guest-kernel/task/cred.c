/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials. A struct cred is immutable once a task points to it. Other tasks read t->cred under task_lock and take
 * a reference there.
 */
#include "task/cred.h"

#include "lib/string.h"
#include "mm/page.h"
#include "task/task.h"
#include "task/user_ns.h"

const struct cred *cred_get(const struct cred *c)
{
	ref_get(&((struct cred *)c)->refs);
	return c;
}

void cred_put(const struct cred *c)
{
	struct cred *m = (struct cred *)c;

	if (!m || !ref_put(&m->refs))
		return;
	user_ns_put(m->user_ns);
	kfree(m->groups);
	kfree(m);
}

struct cred *cred_copy(const struct cred *c)
{
	struct cred *n = kmalloc(sizeof(*n));

	if (!n)
		return NULL;
	*n = *c;
	ref_init(&n->refs);
	n->groups = NULL;
	if (c->ngroups) {
		n->groups = kmalloc(c->ngroups * sizeof(*n->groups));
		if (!n->groups) {
			kfree(n);
			return NULL;
		}
		memcpy(n->groups, c->groups, c->ngroups * sizeof(*n->groups));
	}
	user_ns_get(n->user_ns);
	return n;
}

void cred_enter_user_ns(struct cred *c, struct user_ns *ns)
{
	user_ns_get(ns);
	user_ns_put(c->user_ns);
	c->user_ns = ns;
	c->securebits = 0;
	c->cap_inheritable = c->cap_ambient = 0;
	c->cap_permitted = c->cap_effective = c->cap_bounding = CAP_ALL;
}

void cred_commit(struct cred *c)
{
	struct task *t = current;

	spin_lock(&t->lock);
	const struct cred *old = t->cred;
	t->cred = c;
	spin_unlock(&t->lock);
	cred_put(old);
}

bool capable(int cap)
{
	const struct cred *c = current->cred;

	return c->user_ns == &init_user_ns && cred_own_capable(c, cap);
}

bool cred_in_group(const struct cred *c, uint32_t gid)
{
	uint32_t lo = 0, hi = c->ngroups;

	if (gid == c->fsgid)
		return true;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (c->groups[mid] == gid)
			return true;
		if (c->groups[mid] < gid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}
