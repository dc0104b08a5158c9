// SPDX-License-Identifier: Apache-2.0
/*
 * File locks: flock(2), POSIX record locks and open-file-description locks (fcntl(2)).
 *
 * Each inode that ever had a lock has a context with its locks; locks_lock protects all of them, and the list of
 * blocked owners in which deadlocks are looked for (POSIX locks only, as on Linux). A POSIX lock belongs to a
 * descriptor table, an OFD lock and a flock to an open file. Who must wait sleeps on the context until any of its
 * locks changed, then tries again. Locks are not mandatory and not shared with the host.
 */
#include "fs/locks.h"

#include <linux/fcntl.h>

#include "fs/namei.h"
#include "lib/string.h"
#include "syscall/syscall.h"
#include "task/task.h"

#define LOCK_SH_ 1
#define LOCK_EX_ 2
#define LOCK_NB_ 4
#define LOCK_UN_ 8
#define OFFSET_MAX INT64_MAX

struct file_lock {
	struct list_node link;
	const void *owner;
	int pid;             /* for F_GETLK; -1: open file description */
	int type;            /* F_RDLCK, F_WRLCK */
	int64_t start, end;  /* inclusive */
};

struct file_lock_ctx {
	struct list_node records, flocks; /* locks_lock */
	struct wait_queue wait;
	uint32_t seq;                     /* changes whenever a lock goes or shrinks; locks_lock */
};

/* An owner that sleeps, and the one it waits for. */
struct blocked {
	struct list_node link;
	const void *owner, *holder;
};

static spinlock_t locks_lock = SPINLOCK_INIT;
static struct list_node blocked_list = LIST_INIT(blocked_list); /* locks_lock */

static struct file_lock_ctx *get_ctx(struct inode *i)
{
	struct file_lock_ctx *c = atomic_load(&i->locks);
	if (c)
		return c;
	struct file_lock_ctx *n = kzalloc(sizeof(*n));
	if (!n)
		return NULL;
	list_init(&n->records);
	list_init(&n->flocks);
	wait_queue_init(&n->wait);
	if (!atomic_cas(&i->locks, NULL, n))
		kfree(n);
	return i->locks;
}

static void free_list(struct list_node *l)
{
	while (!list_empty(l)) {
		struct file_lock *k = list_first(l, struct file_lock, link);
		list_del(&k->link);
		kfree(k);
	}
}

void locks_free_inode(struct inode *i)
{
	free_list(&i->locks->records);
	free_list(&i->locks->flocks);
	kfree(i->locks);
	i->locks = NULL;
}

static void changed(struct file_lock_ctx *c)
{
	c->seq++;
	wake_up_all(&c->wait);
}

static bool overlaps(const struct file_lock *a, const struct file_lock *b) { return a->start <= b->end && b->start <= a->end; }

/* The first lock of another owner that forbids l. */
static struct file_lock *conflict(struct list_node *list, const struct file_lock *l)
{
	struct file_lock *k;
	list_for_each_entry(k, list, link)
		if (k->owner != l->owner && overlaps(k, l) && (k->type == F_WRLCK || l->type == F_WRLCK))
			return k;
	return NULL;
}

/* Would owner, waiting for holder, close a circle? */
static bool deadlock(const void *owner, const void *holder)
{
	for (int steps = 0; steps < 64; steps++) {
		struct blocked *b, *found = NULL;
		if (holder == owner)
			return true;
		list_for_each_entry(b, &blocked_list, link)
			if (b->owner == holder)
				found = b;
		if (!found)
			return false;
		holder = found->holder;
	}
	return false;
}

/* Enters l (or, type F_UNLCK, removes its range) among the owner's locks: equal neighbours join, others are cut.
 * spare is used for a split; what is left over goes to the free list. */
static void apply(struct file_lock_ctx *c, struct file_lock *l, struct file_lock *spare, struct list_node *unused)
{
	struct file_lock *k, *tmp;
	list_for_each_entry_safe(k, tmp, &c->records, link) {
		if (k->owner != l->owner)
			continue;
		if (k->type == l->type) {
			bool touches = (k->start <= l->end || k->start - 1 == l->end) && (l->start <= k->end || l->start - 1 == k->end);
			if (!touches)
				continue;
			l->start = MIN(l->start, k->start);
			l->end = MAX(l->end, k->end);
			list_move_tail(&k->link, unused);
		} else if (overlaps(k, l)) {
			if (k->start < l->start && k->end > l->end) {
				*spare = *k;
				spare->start = l->end + 1;
				k->end = l->start - 1;
				list_insert_between(&spare->link, &k->link, k->link.next);
				spare = NULL;
			} else if (k->start < l->start) {
				k->end = l->start - 1;
			} else if (k->end > l->end) {
				k->start = l->end + 1;
			} else {
				list_move_tail(&k->link, unused);
			}
		}
	}
	if (spare)
		list_add_tail(&spare->link, unused);
	list_add_tail(&l->link, l->type == F_UNLCK ? unused : &c->records);
	changed(c);
}

/* want describes the lock; detect: POSIX, looks for deadlocks. */
static int set_record(struct inode *i, const struct file_lock *want, bool wait, bool detect)
{
	struct file_lock_ctx *c = get_ctx(i);
	struct file_lock *l = kzalloc(sizeof(*l)), *spare = kzalloc(sizeof(*spare));
	int r = 0;
	if (!c || !l || !spare) {
		r = -ENOLCK;
		goto out;
	}
	*l = *want;
	list_init(&l->link);
	list_init(&spare->link);
	spin_lock(&locks_lock);
	for (;;) {
		struct file_lock *k = want->type == F_UNLCK ? NULL : conflict(&c->records, l);
		if (!k) {
			struct list_node unused;
			list_init(&unused);
			apply(c, l, spare, &unused);
			spin_unlock(&locks_lock);
			free_list(&unused);
			return 0;
		}
		if (!wait) {
			r = -EAGAIN;
			break;
		}
		if (detect && deadlock(l->owner, k->owner)) {
			r = -EDEADLK;
			break;
		}
		struct blocked b = {.owner = l->owner, .holder = k->owner};
		uint32_t seq = c->seq;
		list_add_tail(&b.link, &blocked_list);
		spin_unlock(&locks_lock);
		r = wait_event_interruptible(&c->wait, READ_ONCE(c->seq) != seq);
		spin_lock(&locks_lock);
		list_del(&b.link);
		if (r)
			break;
	}
	spin_unlock(&locks_lock);
out:
	kfree(l);
	kfree(spare);
	return r;
}

static void remove_owned(struct list_node *list, const void *owner, struct list_node *unused)
{
	struct file_lock *k, *tmp;
	list_for_each_entry_safe(k, tmp, list, link)
		if (k->owner == owner)
			list_move_tail(&k->link, unused);
}

/* Whatever the owner, a descriptor table or an open file, has locked of the inode. Needs no memory. */
static void remove_all(struct inode *i, const void *owner)
{
	struct file_lock_ctx *c = i->locks;
	struct list_node unused;
	list_init(&unused);
	spin_lock(&locks_lock);
	remove_owned(&c->records, owner, &unused);
	remove_owned(&c->flocks, owner, &unused);
	if (!list_empty(&unused))
		changed(c);
	spin_unlock(&locks_lock);
	free_list(&unused);
}

void locks_remove_posix(struct file *f, struct files *owner) { remove_all(f->inode, owner); }
void locks_remove_file(struct file *f) { remove_all(f->inode, f); }

/* ---- fcntl ---- */
static int to_range(struct file *f, const struct flock *u, struct file_lock *l)
{
	int64_t base, start, end;
	switch (u->l_whence) {
	case 0:
		base = 0;
		break;
	case 1:
		base = f->pos;
		break;
	case 2:
		base = f->inode->size;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, (int64_t)u->l_start, &start))
		return -EOVERFLOW;
	if (start < 0)
		return -EINVAL;
	end = OFFSET_MAX;
	if (u->l_len > 0) {
		if (__builtin_add_overflow(start, (int64_t)u->l_len - 1, &end))
			return -EOVERFLOW;
	} else if (u->l_len < 0) {
		end = start - 1;
		start += u->l_len;
		if (start < 0)
			return -EINVAL;
	}
	l->start = start;
	l->end = end;
	return 0;
}

static int64_t get_lock(struct file *f, struct flock *u, struct file_lock *l, uva_t out)
{
	struct file_lock_ctx *c = get_ctx(f->inode);
	if (!c)
		return -ENOLCK;
	spin_lock(&locks_lock);
	struct file_lock *k = conflict(&c->records, l);
	if (k) {
		u->l_type = k->type;
		u->l_whence = 0;
		u->l_start = k->start;
		u->l_len = k->end == OFFSET_MAX ? 0 : k->end - k->start + 1;
		u->l_pid = k->pid < 0 ? k->pid : pid_vnr(k->pid);
	} else {
		u->l_type = F_UNLCK;
	}
	spin_unlock(&locks_lock);
	return copy_out_struct(out, u);
}

int64_t locks_fcntl(struct file *f, int fd, uint32_t cmd, uva_t ulock)
{
	struct flock u;
	bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
	bool get = cmd == F_GETLK || cmd == F_OFD_GETLK, wait = cmd == F_SETLKW || cmd == F_OFD_SETLKW;
	struct file_lock l = {0};
	if (copy_in_struct(&u, ulock))
		return -EFAULT;
	if (ofd && u.l_pid)
		return -EINVAL;
	if (u.l_type != F_RDLCK && u.l_type != F_WRLCK && (u.l_type != F_UNLCK || get))
		return -EINVAL;
	int r = to_range(f, &u, &l);
	if (r)
		return r;
	l.type = u.l_type;
	l.owner = ofd ? (const void *)f : (const void *)current->files;
	l.pid = ofd ? -1 : current_process()->pid;
	if (get)
		return get_lock(f, &u, &l, ulock);
	if (l.type == F_RDLCK && !(f->mode & FMODE_READ))
		return -EBADF;
	if (l.type == F_WRLCK && !(f->mode & FMODE_WRITE))
		return -EBADF;
	r = set_record(f->inode, &l, wait, !ofd);
	/* another thread closed the descriptor while we locked: its close found nothing to remove */
	if (r == 0 && !ofd && l.type != F_UNLCK) {
		struct file *now = files_lookup(current->files, fd);
		if (now != f) {
			l.type = F_UNLCK;
			(void)set_record(f->inode, &l, false, false);
			r = -EBADF;
		}
		file_put(now);
	}
	return r;
}

/* ---- flock ---- */
static int set_flock(struct file *f, int type, bool wait)
{
	struct file_lock_ctx *c = get_ctx(f->inode);
	struct file_lock *l = kzalloc(sizeof(*l));
	struct list_node unused;
	int r = 0;
	list_init(&unused);
	if (!c || !l) {
		kfree(l);
		return -ENOLCK;
	}
	*l = (struct file_lock){.owner = f, .type = type, .end = OFFSET_MAX, .pid = current_process()->pid};
	list_init(&l->link);
	spin_lock(&locks_lock);
	struct file_lock *k;
	list_for_each_entry(k, &c->flocks, link) {
		if (k->owner == f && k->type == type) {
			spin_unlock(&locks_lock);
			kfree(l);
			return 0;
		}
	}
	/* a conversion is a release and a new request: flock(2) says it is not atomic */
	remove_owned(&c->flocks, f, &unused);
	if (!list_empty(&unused))
		changed(c);
	for (; type != F_UNLCK;) {
		if (!conflict(&c->flocks, l)) {
			list_add_tail(&l->link, &c->flocks);
			l = NULL;
			break;
		}
		r = -EAGAIN;
		if (!wait)
			break;
		uint32_t seq = c->seq;
		spin_unlock(&locks_lock);
		r = wait_event_interruptible(&c->wait, READ_ONCE(c->seq) != seq);
		spin_lock(&locks_lock);
		if (r)
			break;
	}
	spin_unlock(&locks_lock);
	free_list(&unused);
	kfree(l);
	return r;
}

int64_t sys_flock(const struct sysargs *a)
{
	uint32_t op = arg_u32(a, 1);
	int type;
	switch (op & ~LOCK_NB_) {
	case LOCK_SH_:
		type = F_RDLCK;
		break;
	case LOCK_EX_:
		type = F_WRLCK;
		break;
	case LOCK_UN_:
		type = F_UNLCK;
		break;
	default:
		return -EINVAL;
	}
	struct file *f = fd_get(arg_int(a, 0));
	if (!f)
		return -EBADF;
	int r = type != F_UNLCK && !(f->mode & (FMODE_READ | FMODE_WRITE)) ? -EBADF : set_flock(f, type, !(op & LOCK_NB_));
	file_put(f);
	return r;
}
