/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials. A struct cred is immutable once a task points to it. Other tasks read t->cred under task_lock and take
 * a reference there.
 */
#include "task/cred.h"

#include "lib/string.h"
#include "mm/page.h"
#include "task/task.h"

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
	return n;
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
	return cred_capable(current->cred, cap);
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
