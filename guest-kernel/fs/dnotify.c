// SPDX-License-Identifier: Apache-2.0
/*
 * Directory notification by signals: F_NOTIFY of fcntl(2), the forerunner of inotify.
 *
 * A registration belongs to an open file and ends with it (Linux ends it with the descriptor). The signal is that of
 * O_ASYNC: SIGIO, or F_SETSIG's with POLL_MSG.
 */
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "fs/namei.h"
#include "fs/notify_impl.h"
#include "task/task.h"

/* One per open file; file->dnotify, which notify_lock protects. */
struct dnotify {
	struct mark mark; /* first: freed by notify_mark_remove */
	struct file *file;
	int fd;
	bool multishot;
};

static uint32_t events_of(uint32_t arg)
{
	return (arg & DN_ACCESS ? IN_ACCESS : 0) | (arg & DN_MODIFY ? IN_MODIFY : 0) | (arg & DN_ATTRIB ? IN_ATTRIB : 0) |
	       (arg & DN_CREATE ? IN_CREATE | IN_MOVED_TO : 0) | (arg & DN_DELETE ? IN_DELETE | IN_MOVED_FROM : 0) |
	       (arg & DN_RENAME ? NOTIFY_RENAMED : 0);
}

bool dnotify_event(struct mark *m)
{
	struct dnotify *dn = container_of(m, struct dnotify, mark);
	file_send_sigio(dn->file, dn->fd, EPOLLIN | EPOLLRDNORM | EPOLLMSG);
	return !dn->multishot;
}

void dnotify_detach(struct mark *m)
{
	container_of(m, struct dnotify, mark)->file->dnotify = NULL;
}

void dnotify_release(struct file *f)
{
	struct inode *i = NULL;
	mutex_lock(&notify_lock);
	if (f->dnotify)
		i = notify_mark_remove(&f->dnotify->mark);
	mutex_unlock(&notify_lock);
	if (i)
		inode_put(i);
}

int dnotify_set(struct file *f, int fd, uint32_t arg)
{
	if (!(arg & ~(uint32_t)DN_MULTISHOT)) {
		dnotify_release(f);
		return 0;
	}
	if ((f->inode->mode & S_IFMT) != S_IFDIR)
		return -ENOTDIR;
	struct dnotify *fresh = kzalloc(sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	if (!f->owner_pid)
		(void)file_set_owner(f, current->proc->vpid);
	mutex_lock(&notify_lock);
	struct dnotify *dn = f->dnotify;
	if (!dn) {
		f->dnotify = dn = fresh;
		fresh = NULL;
		dn->file = f;
		notify_mark_add(&dn->mark, f->inode);
	}
	dn->fd = fd;
	dn->mark.mask |= events_of(arg);
	dn->multishot = dn->multishot || (arg & DN_MULTISHOT);
	mutex_unlock(&notify_lock);
	kfree(fresh);
	return 0;
}
