/* SPDX-License-Identifier: Apache-2.0 */
/* Counts by user (see user_count.h). A user is known while one of his counts is not zero. */
#include "task/user_count.h"

#include "lib/list.h"
#include "lib/log.h"
#include "mm/page.h"
#include "task/lock.h"

#define BUCKETS 64

struct user {
	struct list_node link; /* lock */
	uint32_t uid;
	uint64_t count[USER_COUNTS]; /* lock */
};

static struct {
	spinlock_t lock;
	struct list_node bucket[BUCKETS]; /* zero until it is used */
} users;

/* lock held */
static struct list_node *bucket_of(uint32_t uid)
{
	struct list_node *b = &users.bucket[uid % BUCKETS];

	if (!b->next)
		list_init(b);
	return b;
}

/* lock held */
static struct user *find(uint32_t uid)
{
	struct user *u;

	list_for_each_entry(u, bucket_of(uid), link)
		if (u->uid == uid)
			return u;
	return NULL;
}

int user_count_add(uint32_t uid, enum user_count what, uint32_t n, uint64_t limit)
{
	struct user *fresh = kzalloc(sizeof(*fresh)), *u;
	int r = 0;

	spin_lock(&users.lock);
	u = find(uid);
	if (!limit || (u && u->count[what] >= limit)) {
		r = -EDQUOT;
	} else if (!u && !fresh) {
		r = -ENOMEM;
	} else if (n) {
		if (!u) {
			u = fresh;
			fresh = NULL;
			u->uid = uid;
			list_add(&u->link, bucket_of(uid));
		}
		u->count[what] += n;
	}
	spin_unlock(&users.lock);
	kfree(fresh);
	return r;
}

void user_count_sub(uint32_t uid, enum user_count what, uint32_t n)
{
	struct user *u, *gone = NULL;
	uint64_t left = 0;

	if (!n)
		return;
	spin_lock(&users.lock);
	u = find(uid);
	BUG_ON(!u || u->count[what] < n);
	u->count[what] -= n;
	for (int i = 0; i < USER_COUNTS; i++)
		left |= u->count[i];
	if (!left) {
		list_del(&u->link);
		gone = u;
	}
	spin_unlock(&users.lock);
	kfree(gone);
}
