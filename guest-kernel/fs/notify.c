// SPDX-License-Identifier: Apache-2.0
/*
 * inotify(7).
 *
 * A mark ties an inode to an instance; notify_lock (a sleeping lock, innermost of those) protects all marks and both
 * of their lists. An instance's queue has a spinlock. While no mark exists anywhere, a hook is one load.
 */
#include "fs/notify_impl.h"

#include <linux/inotify.h>
#include <asm/ioctls.h>

#include "fs/namei.h"
#include "fs/poll.h"
#include "fs/proc/proc.h"
#include "lib/string.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_count.h"

#define QUEUE_MAX 16384u
#define PARENT_ONLY (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)

struct notify_event {
	struct list_node link;
	int wd;
	uint32_t mask, cookie, len; /* len of name with its NUL, 0 without */
	char name[];
};

struct inotify {
	spinlock_t lock;
	struct list_node events;  /* lock */
	uint32_t nr_events;       /* lock */
	struct wait_queue wait;
	struct list_node marks;   /* notify_lock */
	uint32_t uid;             /* who made it, for his limits; immutable */
	int next_wd;              /* notify_lock */
};

struct mutex notify_lock = MUTEX_INIT(notify_lock);
static uint32_t nr_marks; /* written under notify_lock, read racily by the hooks */
static uint32_t next_cookie;

static struct notify_event *event_alloc(int wd, uint32_t mask, uint32_t cookie, const char *name)
{
	size_t len = name && *name ? strlen(name) + 1 : 0;
	struct notify_event *e = kmalloc(sizeof(*e) + len);
	if (!e)
		return NULL;
	list_init(&e->link);
	e->wd = wd;
	e->mask = mask;
	e->cookie = cookie;
	e->len = len;
	memcpy(e->name, name, len);
	return e;
}

static bool same_event(const struct notify_event *a, const struct notify_event *b)
{
	return a->wd == b->wd && a->mask == b->mask && a->cookie == b->cookie && a->len == b->len &&
	       memcmp(a->name, b->name, a->len) == 0;
}

static void queue_event(struct inotify *in, int wd, uint32_t mask, uint32_t cookie, const char *name)
{
	bool full = READ_ONCE(in->nr_events) >= QUEUE_MAX;
	struct notify_event *e = full ? event_alloc(-1, IN_Q_OVERFLOW, 0, NULL) : event_alloc(wd, mask, cookie, name);
	if (!e)
		return;
	spin_lock(&in->lock);
	struct notify_event *last = list_empty(&in->events) ? NULL : list_entry(in->events.prev, struct notify_event, link);
	if (last && same_event(last, e)) {
		spin_unlock(&in->lock);
		kfree(e);
		return;
	}
	list_add_tail(&e->link, &in->events);
	in->nr_events++;
	spin_unlock(&in->lock);
	wake_up_poll(&in->wait, EPOLLIN | EPOLLRDNORM);
}

void notify_mark_add(struct mark *m, struct inode *inode)
{
	inode_get(inode);
	m->inode = inode;
	list_init(&m->instance_link);
	list_add_tail(&m->inode_link, &inode->marks);
	nr_marks++;
}

struct inode *notify_mark_remove(struct mark *m)
{
	struct inode *i = m->inode;
	list_del(&m->inode_link);
	list_del(&m->instance_link);
	if (m->in)
		user_count_sub(m->in->uid, USER_INOTIFY_WATCHES, 1);
	else
		dnotify_detach(m);
	nr_marks--;
	kfree(m);
	return i;
}

static struct inode *mark_remove(struct mark *m, bool tell)
{
	if (tell && m->in)
		queue_event(m->in, m->wd, IN_IGNORED, 0, NULL);
	return notify_mark_remove(m);
}

/* Tells the watchers of inode. mask: events and perhaps IN_ISDIR; unlinked: to an open file without a name
 * (IN_EXCL_UNLINK). */
static void deliver(struct inode *inode, uint32_t mask, uint32_t cookie, const char *name, bool unlinked)
{
	if (list_empty(&inode->marks))
		return;
	uint32_t drop = 0;
	mutex_lock(&notify_lock);
	struct mark *m, *tmp;
	list_for_each_entry_safe(m, tmp, &inode->marks, inode_link) {
		uint32_t wanted = m->mask & mask & (IN_ALL_EVENTS | NOTIFY_RENAMED);
		if (!wanted || (unlinked && m->mask & IN_EXCL_UNLINK))
			continue;
		bool done = m->mask & IN_ONESHOT;
		if (m->in)
			queue_event(m->in, m->wd, wanted | (mask & IN_ISDIR), cookie, name);
		else
			done = dnotify_event(m);
		if (done) {
			(void)mark_remove(m, true);
			drop++;
		}
	}
	mutex_unlock(&notify_lock);
	/* the caller has a reference, so none of these is the last */
	while (drop--)
		inode_put(inode);
}

static uint32_t dir_bit(const struct inode *i) { return (i->mode & S_IFMT) == S_IFDIR ? IN_ISDIR : 0; }

void notify_inode(struct inode *inode, uint32_t mask)
{
	if (likely(!READ_ONCE(nr_marks)))
		return;
	deliver(inode, mask | dir_bit(inode), 0, NULL, false);
}

static void to_parent(struct dentry *d, uint32_t mask, bool unlinked)
{
	struct dentry *parent;
	char name[NAME_MAX_ + 1];
	dentry_get_parent(d, &parent);
	if (parent != d && parent->inode && !list_empty(&parent->inode->marks)) {
		spin_lock(&d->lock);
		strlcpy(name, d->name, sizeof(name));
		spin_unlock(&d->lock);
		deliver(parent->inode, mask, 0, name, unlinked);
	}
	dentry_put(parent);
}

static void tell(struct dentry *d, uint32_t mask, bool unlinked)
{
	if (!mask || !d->inode || (d->flags & DENTRY_ANON))
		return;
	mask |= dir_bit(d->inode);
	to_parent(d, mask, unlinked);
	if (!(mask & PARENT_ONLY))
		deliver(d->inode, mask, 0, NULL, unlinked);
}

void notify_dentry(struct dentry *d, uint32_t mask)
{
	if (likely(!READ_ONCE(nr_marks)))
		return;
	tell(d, mask, false);
}

void notify_file(struct file *f, uint32_t mask)
{
	if (likely(!READ_ONCE(nr_marks)))
		return;
	tell(f->path.dentry, mask, f->path.dentry->flags & DENTRY_DELETED);
}

/* Linux lets go of an inode that nobody uses any more before it tells the directory. */
void notify_deleted(struct dentry *d)
{
	if (likely(!READ_ONCE(nr_marks)))
		return;
	if ((atomic_load(&d->refs.n) & ~DENTRY_SLOW_PUT) == 1 && !d->inode->nlink)
		notify_inode_gone(d->inode);
	notify_dentry(d, IN_DELETE);
}

void notify_move(struct inode *old_dir, const char *old_name, struct inode *new_dir, const char *new_name,
                 struct inode *moved)
{
	if (likely(!READ_ONCE(nr_marks)))
		return;
	uint32_t cookie = atomic_add(&next_cookie, 1), dir = dir_bit(moved);
	deliver(old_dir, IN_MOVED_FROM | dir, cookie, old_name, false);
	deliver(new_dir, IN_MOVED_TO | dir, cookie, new_name, false);
	if (old_dir == new_dir)
		deliver(old_dir, NOTIFY_RENAMED, 0, NULL, false);
	deliver(moved, IN_MOVE_SELF | dir, 0, NULL, false);
}

void notify_inode_gone(struct inode *inode)
{
	deliver(inode, IN_DELETE_SELF, 0, NULL, false);
	for (;;) {
		mutex_lock(&notify_lock);
		struct inode *i = NULL;
		if (!list_empty(&inode->marks))
			i = mark_remove(list_first(&inode->marks, struct mark, inode_link), true);
		mutex_unlock(&notify_lock);
		if (!i)
			return;
		inode_put(i);
	}
}

static struct mark *first_mark_of(struct super_block *sb)
{
	struct mark *found = NULL;
	spin_lock(&sb->lock);
	struct inode *i;
	list_for_each_entry(i, &sb->inodes, sb_link) {
		if (!list_empty(&i->marks)) {
			found = list_first(&i->marks, struct mark, inode_link);
			break;
		}
	}
	spin_unlock(&sb->lock);
	return found;
}

void notify_super_gone(struct super_block *sb)
{
	while (READ_ONCE(nr_marks)) {
		mutex_lock(&notify_lock);
		struct mark *m = first_mark_of(sb);
		struct inode *i = NULL;
		if (m) {
			if (m->in)
				queue_event(m->in, m->wd, IN_UNMOUNT, 0, NULL);
			i = mark_remove(m, true);
		}
		mutex_unlock(&notify_lock);
		if (!i)
			return;
		inode_put(i);
	}
}

/* ---- the descriptor ---- */
static size_t event_size(const struct notify_event *e)
{
	return sizeof(struct inotify_event) + ROUND_UP((size_t)e->len, sizeof(struct inotify_event));
}

/* The first event if it fits into room: 0, -EAGAIN (none), -EINVAL (too large). */
static int take_event(struct inotify *in, size_t room, struct notify_event **out)
{
	int r = -EAGAIN;
	spin_lock(&in->lock);
	if (!list_empty(&in->events)) {
		struct notify_event *e = list_first(&in->events, struct notify_event, link);
		r = -EINVAL;
		if (event_size(e) <= room) {
			list_del(&e->link);
			in->nr_events--;
			*out = e;
			r = 0;
		}
	}
	spin_unlock(&in->lock);
	return r;
}

static bool put_event(struct iter *to, const struct notify_event *e)
{
	struct inotify_event h = {.wd = e->wd, .mask = e->mask, .cookie = e->cookie};
	h.len = event_size(e) - sizeof(h);
	return iter_copy_to(to, &h, sizeof(h)) == sizeof(h) && iter_copy_to(to, e->name, e->len) == e->len &&
	       iter_zero(to, h.len - e->len) == h.len - e->len;
}

static ssize_t_ inotify_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct inotify *in = f->private;
	ssize_t_ done = 0;
	for (;;) {
		struct notify_event *e;
		int r = take_event(in, to->count, &e);
		if (r == 0) {
			size_t size = event_size(e);
			bool ok = put_event(to, e);
			kfree(e);
			if (!ok)
				return -EFAULT;
			done += size;
			continue;
		}
		if (done)
			return done;
		if (r != -EAGAIN || (f->flags & O_NONBLOCK))
			return r;
		r = wait_event_interruptible(&in->wait, READ_ONCE(in->nr_events) != 0);
		if (r)
			return r;
	}
}

static uint32_t inotify_poll(struct file *f, struct poll_table *pt)
{
	struct inotify *in = f->private;
	poll_wait(f, &in->wait, pt);
	return READ_ONCE(in->nr_events) ? EPOLLIN | EPOLLRDNORM : 0;
}

static int64_t inotify_ioctl(struct file *f, uint32_t cmd, uint64_t arg)
{
	struct inotify *in = f->private;
	if (cmd != FIONREAD)
		return -ENOTTY;
	int n = 0;
	struct notify_event *e;
	spin_lock(&in->lock);
	list_for_each_entry(e, &in->events, link)
		n += event_size(e);
	spin_unlock(&in->lock);
	return copy_out(uva(arg), &n, sizeof(n));
}

static void inotify_release(struct file *f)
{
	struct inotify *in = f->private;
	for (;;) {
		mutex_lock(&notify_lock);
		struct inode *i = NULL;
		if (!list_empty(&in->marks))
			i = mark_remove(list_first(&in->marks, struct mark, instance_link), false);
		mutex_unlock(&notify_lock);
		if (!i)
			break;
		inode_put(i);
	}
	while (!list_empty(&in->events)) {
		struct notify_event *e = list_first(&in->events, struct notify_event, link);
		list_del(&e->link);
		kfree(e);
	}
	user_count_sub(in->uid, USER_INOTIFY_INSTANCES, 1);
	kfree(in);
}

static int inotify_fdinfo(struct file *f, char *buf, size_t size)
{
	struct inotify *in = f->private;
	size_t n = 0;
	struct mark *m;
	buf[0] = 0;
	mutex_lock(&notify_lock);
	list_for_each_entry(m, &in->marks, instance_link) {
		if (n >= size)
			break;
		n += snprintf(buf + n, size - n, "inotify wd:%x ino:%lx sdev:%lx mask:%x ignored_mask:0\n", m->wd,
		              (unsigned long)m->inode->ino, (unsigned long)m->inode->sb->dev, m->mask & IN_ALL_EVENTS);
	}
	mutex_unlock(&notify_lock);
	return MIN(n, size - 1);
}

static const struct file_ops inotify_fops = {
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.release = inotify_release,
	.show_fdinfo = inotify_fdinfo,
	.no_seek = true,
};

static int64_t do_init(uint32_t flags)
{
	if (flags & ~(IN_CLOEXEC | IN_NONBLOCK))
		return -EINVAL;
	struct inotify *in = kzalloc(sizeof(*in));
	if (!in)
		return -ENOMEM;
	in->uid = current->cred->euid;
	int err = user_count_add(in->uid, USER_INOTIFY_INSTANCES, 1, proc_sys_value("max_user_instances"));
	if (err) {
		kfree(in);
		return err == -EDQUOT ? -EMFILE : err;
	}
	spin_init(&in->lock);
	list_init(&in->events);
	list_init(&in->marks);
	wait_queue_init(&in->wait);
	in->next_wd = 1;
	struct file *f = file_anon("inotify", &inotify_fops, in, O_RDONLY | (flags & IN_NONBLOCK));
	if (!f) {
		user_count_sub(in->uid, USER_INOTIFY_INSTANCES, 1);
		kfree(in);
		return -ENOMEM;
	}
	return fd_publish(f, flags & IN_CLOEXEC);
}

int64_t sys_inotify_init(const struct sysargs *a) { return do_init(0); }
int64_t sys_inotify_init1(const struct sysargs *a) { return do_init(arg_u32(a, 0)); }

static struct mark *find_mark(struct inotify *in, struct inode *i)
{
	struct mark *m;
	list_for_each_entry(m, &i->marks, inode_link)
		if (m->in == in)
			return m;
	return NULL;
}

/* notify_lock held. fresh is used when there is no mark yet; then *fresh becomes NULL. */
static int update_mark(struct inotify *in, struct inode *i, uint32_t mask, struct mark **fresh)
{
	struct mark *m = find_mark(in, i);
	uint32_t keep = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);
	if (m) {
		if (mask & IN_MASK_CREATE)
			return -EEXIST;
		m->mask = mask & IN_MASK_ADD ? m->mask | keep : keep;
		return m->wd;
	}
	int err = user_count_add(in->uid, USER_INOTIFY_WATCHES, 1, proc_sys_value("max_user_watches"));
	if (err)
		return err == -EDQUOT ? -ENOSPC : err;
	m = *fresh;
	*fresh = NULL;
	m->in = in;
	m->mask = keep;
	m->wd = in->next_wd++;
	notify_mark_add(m, i);
	list_add_tail(&m->instance_link, &in->marks);
	return m->wd;
}

int64_t sys_inotify_add_watch(const struct sysargs *a)
{
	uva_t name = arg_uva(a, 1);
	uint32_t mask = arg_u32(a, 2);
	if (!(mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK | IN_MASK_ADD | IN_DONT_FOLLOW | IN_ONLYDIR)))
		return -EINVAL;
	struct file *f = fd_get(arg_int(a, 0));
	if (!f)
		return -EBADF;
	struct path p = {0};
	struct mark *fresh = NULL;
	int r = -EINVAL;
	if (f->ops != &inotify_fops || (mask & (IN_MASK_ADD | IN_MASK_CREATE)) == (IN_MASK_ADD | IN_MASK_CREATE) ||
	    !(mask & IN_ALL_EVENTS))
		goto out;
	r = path_lookup_user(AT_FDCWD, name,
	                     (mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW) | (mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0), &p);
	if (r)
		goto out;
	r = path_permission(&p, MAY_READ);
	if (r)
		goto out;
	fresh = kzalloc(sizeof(*fresh));
	r = -ENOMEM;
	if (!fresh)
		goto out;
	mutex_lock(&notify_lock);
	r = update_mark(f->private, p.dentry->inode, mask, &fresh);
	mutex_unlock(&notify_lock);
out:
	kfree(fresh);
	path_put(&p);
	file_put(f);
	return r;
}

int64_t sys_inotify_rm_watch(const struct sysargs *a)
{
	int wd = arg_int(a, 1);
	struct file *f = fd_get(arg_int(a, 0));
	if (!f)
		return -EBADF;
	struct inode *i = NULL;
	if (f->ops == &inotify_fops) {
		struct inotify *in = f->private;
		mutex_lock(&notify_lock);
		struct mark *m;
		list_for_each_entry(m, &in->marks, instance_link) {
			if (m->wd == wd) {
				i = mark_remove(m, true);
				break;
			}
		}
		mutex_unlock(&notify_lock);
	}
	file_put(f);
	if (!i)
		return -EINVAL;
	inode_put(i);
	return 0;
}
