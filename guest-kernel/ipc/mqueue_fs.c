// SPDX-License-Identifier: Apache-2.0
/*
 * The mqueue file system of an ipc namespace: one flat directory of queues, the same in every mount of it. mq_open(2)
 * reaches it through a mount of its own that is in no tree.
 *
 * Limits are those of /proc/sys/fs/mqueue and RLIMIT_MSGQUEUE, which counts per user what all queues may come to hold.
 */
#include <linux/fs.h>
#include <linux/mount.h>

#include "fs/mount.h"
#include "fs/namei.h"
#include "fs/proc/proc.h"
#include "fs/ramdir.h"
#include "ipc/ipc_ns.h"
#include "ipc/mqueue.h"
#include "lib/string.h"

#define MQUEUE_MAGIC    0x19800202
#define ENTRY_SIZE      20    /* what a name adds to st_size of the directory, as on Linux */
#define QUEUE_FILE_SIZE 80    /* st_size of a queue */
#define HARD_MSGMAX     65536
#define HARD_MSGSIZEMAX (16 * 1024 * 1024)
/* What Linux charges per message beside its text: struct msg_msg and a node per priority in use. */
#define MESSAGE_COST    48
#define PRIORITY_COST   48

struct mq_user {
	struct list_node link;
	uint32_t uid;
	uint64_t bytes;
};

/* What super_block.private is. */
struct mqueue_fs {
	struct ram_dir dir;       /* root inode's lock */
	uint64_t queues;          /* quota.lock */
};

static struct {
	spinlock_t lock;
	struct list_node users;   /* of all namespaces; lock */
} quota = {.users = LIST_INIT(quota.users)};

static struct mqueue_fs *fs_of(const struct super_block *sb) { return sb->private; }
static struct ram_dir *entries(const struct inode *dir) { return &fs_of(dir->sb)->dir; }

/* ---- quotas ---- */

static struct mq_user *user_find(uint32_t uid)
{
	struct mq_user *u;

	list_for_each_entry(u, &quota.users, link) {
		if (u->uid == uid)
			return u;
	}
	return NULL;
}

static int charge(struct mqueue_fs *fs, uint32_t uid, uint64_t bytes)
{
	struct mq_user *fresh = kzalloc(sizeof(*fresh)), *u;
	int r = 0;

	if (!fresh)
		return -ENOMEM;
	spin_lock(&quota.lock);
	u = user_find(uid);
	uint64_t used = u ? u->bytes : 0, limit = rlimit_cur(RLIMIT_MSGQUEUE);
	if (fs->queues >= proc_sys_value("queues_max") && !capable(CAP_SYS_RESOURCE)) {
		r = -ENOSPC;
	} else if (bytes > limit || used > limit - bytes) {
		r = -EMFILE;
	} else {
		if (!u) {
			u = fresh;
			fresh = NULL;
			u->uid = uid;
			list_add(&u->link, &quota.users);
		}
		u->bytes += bytes;
		fs->queues++;
	}
	spin_unlock(&quota.lock);
	kfree(fresh);
	return r;
}

static void uncharge(struct mqueue_fs *fs, uint32_t uid, uint64_t bytes)
{
	struct mq_user *u, *gone = NULL;

	spin_lock(&quota.lock);
	fs->queues--;
	u = user_find(uid);
	u->bytes -= bytes;
	if (!u->bytes) {
		list_del(&u->link);
		gone = u;
	}
	spin_unlock(&quota.lock);
	kfree(gone);
}

/* Limits of a new queue: 0, -EINVAL, -EOVERFLOW. */
static int check_attr(const struct mq_attr_ *attr, uint64_t *messages, uint64_t *bytes)
{
	bool privileged = capable(CAP_SYS_RESOURCE);
	uint64_t max = privileged ? HARD_MSGMAX : proc_sys_value("msg_max");
	uint64_t size = privileged ? HARD_MSGSIZEMAX : proc_sys_value("msgsize_max");

	if (!attr) {
		*messages = MIN(proc_sys_value("msg_max"), proc_sys_value("msg_default"));
		*bytes = MIN(proc_sys_value("msgsize_max"), proc_sys_value("msgsize_default"));
		return 0;
	}
	if (attr->maxmsg <= 0 || attr->msgsize <= 0 || (uint64_t)attr->maxmsg > max || (uint64_t)attr->msgsize > size)
		return -EINVAL;
	*messages = (uint64_t)attr->maxmsg;
	*bytes = (uint64_t)attr->msgsize;
	return 0;
}

/* ---- inodes ---- */

static const struct inode_ops queue_inode_ops;

static struct inode *queue_create(const struct inode *dir, uint32_t mode, const struct mq_attr_ *attr)
{
	uint64_t messages, bytes;
	int r = check_attr(attr, &messages, &bytes);
	if (r)
		return ERR_PTR(r);
	uint64_t cost = messages * (MESSAGE_COST + bytes) + MIN(messages, (uint64_t)MQ_PRIO_MAX_) * PRIORITY_COST;
	uint32_t uid = current->cred->uid;
	r = charge(fs_of(dir->sb), uid, cost);
	if (r)
		return ERR_PTR(r);
	struct mqueue *q = kzalloc(sizeof(*q));
	struct inode *i = q ? inode_alloc(dir->sb) : NULL;
	if (!i) {
		kfree(q);
		uncharge(fs_of(dir->sb), uid, cost);
		return ERR_PTR(-ENOMEM);
	}
	mqueue_init(q, messages, bytes);
	q->uid = uid;
	q->charged = cost;
	i->private = q;
	i->ino = ino_alloc();
	i->nlink = 1;
	i->size = QUEUE_FILE_SIZE;
	i->ops = &queue_inode_ops;
	i->fops = &mqueue_fops;
	inode_init_owner(i, dir, S_IFREG | (mode & 07777));
	return i;
}

static void mqfs_evict(struct inode *i)
{
	struct mqueue *q = i->private;

	if (S_ISDIR(i->mode)) {
		struct list_node all = LIST_INIT(all);
		ram_dir_take_all(entries(i), &all);
		while (!list_empty(&all)) {
			struct ram_entry *e = list_first(&all, struct ram_entry, link);
			list_del(&e->link);
			inode_put(e->inode);
			kfree(e);
		}
	}
	if (!q)
		return;
	mqueue_destroy(q);
	uncharge(fs_of(i->sb), q->uid, q->charged);
	kfree(q);
}

static int mqfs_setattr(struct inode *i, struct iattr *attr)
{
	inode_setattr_copy(i, attr);
	return 0;
}

static const struct inode_ops queue_inode_ops = {.setattr = mqfs_setattr};

/* ---- the directory; its inode's lock held ---- */

static int mqfs_lookup(struct inode *dir, struct dentry *d)
{
	struct ram_entry *e = ram_dir_find(entries(dir), d->name, d->name_len);

	if (e) {
		inode_get(e->inode);
		dentry_instantiate(d, e->inode);
	}
	return 0;
}

static int create_queue(struct inode *dir, struct dentry *d, uint32_t mode, const struct mq_attr_ *attr)
{
	struct inode *i = queue_create(dir, mode, attr);

	if (IS_ERR(i))
		return PTR_ERR(i);
	int r = ram_dir_add(entries(dir), d->name, d->name_len, i);
	if (r) {
		inode_put(i);
		return r;
	}
	dir->size += ENTRY_SIZE;
	inode_touch(dir, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	inode_get(i);
	dentry_instantiate(d, i);
	return 0;
}

static int mqfs_create(struct inode *dir, struct dentry *d, uint32_t mode)
{
	return create_queue(dir, d, mode, NULL);
}

static int mqfs_unlink(struct inode *dir, struct dentry *d)
{
	struct ram_entry *e = ram_dir_find(entries(dir), d->name, d->name_len);

	if (!e)
		return -ENOENT;
	struct inode *i = ram_dir_remove(entries(dir), e);
	dir->size -= ENTRY_SIZE;
	inode_touch(dir, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	i->nlink--;
	inode_put(i);
	return 0;
}

static int mqfs_readdir(struct file *f, struct dir_context *ctx)
{
	return ram_dir_emit(entries(f->inode), f, ctx);
}

static const struct inode_ops dir_inode_ops = {
	.lookup = mqfs_lookup,
	.create = mqfs_create,
	.unlink = mqfs_unlink,
	.setattr = mqfs_setattr,
};
static const struct file_ops dir_fops = {.readdir = mqfs_readdir};

/* ---- the super block ---- */

/* Nobody has a file or name of it any more. */
static void mqfs_put_super(struct super_block *sb)
{
	kfree(sb->private);
}

static int mqfs_statfs(struct super_block *sb, struct hc_statfs *st)
{
	*st = (struct hc_statfs){.type = sb->magic, .bsize = 4096, .frsize = 4096, .namelen = NAME_MAX_};
	return 0;
}

static const struct super_ops super_ops = {
	.evict_inode = mqfs_evict, .put_super = mqfs_put_super, .statfs = mqfs_statfs};
static struct super_block *mqfs_mount(const struct fs_type *type, const char *source, const char *data, uint32_t flags);
const struct fs_type mqueue_type = {.name = "mqueue", .nodev = true, .owner = ns_owner_ipc,
	.mount = mqfs_mount};

static struct super_block *build(void)
{
	struct super_block *sb = super_alloc(&mqueue_type, &super_ops, MQUEUE_MAGIC);
	struct inode *root = sb ? inode_alloc(sb) : NULL;
	struct mqueue_fs *fs = kzalloc(sizeof(*fs));

	if (sb)
		sb->private = fs; /* put_super frees it */
	if (root && fs) {
		ram_dir_init(&fs->dir);
		root->ino = ino_alloc();
		root->mode = S_IFDIR | 01777;
		root->nlink = 2;
		root->size = 2 * ENTRY_SIZE;
		root->atime = root->mtime = root->ctime = root->btime = time_now();
		root->ops = &dir_inode_ops;
		root->fops = &dir_fops;
		sb->root = dentry_make_root(root);
	}
	if (sb && sb->root)
		return sb;
	if (root)
		inode_put(root);
	if (sb)
		super_put(sb);
	else
		kfree(fs);
	return NULL;
}

/* The mount of the current namespace's file system that mq_open(2) goes through, in no tree; it exists from its first
 * use on. ERR_PTR. */
static struct mount *mqfs_get(void)
{
	struct ipc_ns *ns = current->nsproxy->ipc;

	mutex_lock(&ns->mq_lock);
	if (!ns->mq_mount) {
		struct super_block *sb = build();
		ns->mq_mount = sb ? mount_alloc(sb, sb->root, 0, "mqueue") : NULL;
	}
	struct mount *m = ns->mq_mount ? ns->mq_mount : ERR_PTR(-ENOMEM);
	mutex_unlock(&ns->mq_lock);
	return m;
}

static struct super_block *mqfs_mount(const struct fs_type *type, const char *source, const char *data, uint32_t flags)
{
	struct mount *m = mqfs_get();

	if (IS_ERR(m))
		return (void *)m;
	super_get(m->sb);
	return m->sb;
}

/* ---- by name ---- */

static int check_name(const char *name)
{
	size_t n = strlen(name);

	if (n > NAME_MAX_)
		return -ENAMETOOLONG;
	return strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..") ? -EACCES : 0;
}

/* An existing queue: 0, or why it may not be opened. */
static int check_open(const struct path *p, uint32_t flags)
{
	static const int may[] = {[O_RDONLY] = MAY_READ, [O_WRONLY] = MAY_WRITE, [O_RDWR] = MAY_READ | MAY_WRITE};

	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if ((flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	return path_permission(p, may[flags & O_ACCMODE]);
}

static struct file *open_dentry(struct mount *m, struct dentry *d, uint32_t flags)
{
	static const uint32_t modes[] = {FMODE_READ, FMODE_WRITE, FMODE_READ | FMODE_WRITE, 0};
	struct file *f = file_new(&(struct path){m, d}, flags & (O_ACCMODE | O_NONBLOCK));

	if (!f)
		return ERR_PTR(-ENOMEM);
	f->mode = modes[flags & O_ACCMODE];
	return f;
}

struct file *mqueue_open(const char *name, uint32_t flags, uint32_t mode, const struct mq_attr_ *attr)
{
	struct mount *m = mqfs_get();
	int r = IS_ERR(m) ? PTR_ERR(m) : check_name(name);
	if (r)
		return ERR_PTR(r);
	struct path root = {m, m->root};
	struct inode *dir = root.dentry->inode;
	struct file *f = NULL;
	bool created = false;
	mutex_lock(&dir->lock);
	struct dentry *d = dentry_lookup_locked(root.dentry, name, strlen(name));
	if (IS_ERR(d)) {
		mutex_unlock(&dir->lock);
		return (struct file *)d;
	}
	if (d->inode) {
		r = check_open(&(struct path){m, d}, flags);
	} else if (!(flags & O_CREAT)) {
		r = -ENOENT;
	} else {
		r = may_create(&root);
		if (r == 0)
			r = create_queue(dir, d, mode & ~current->fs->umask, attr);
		created = r == 0;
	}
	f = r ? ERR_PTR(r) : open_dentry(m, d, flags);
	mutex_unlock(&dir->lock);
	if (created)
		notify_dentry(d, 0x100 /* IN_CREATE */);
	if (!IS_ERR(f))
		notify_dentry(d, 0x20 /* IN_OPEN */);
	dentry_put(d);
	return f;
}

int mqueue_unlink(const char *name)
{
	struct mount *m = mqfs_get();
	int r = IS_ERR(m) ? PTR_ERR(m) : check_name(name);
	if (r)
		return r;
	struct path root = {m, m->root};
	struct inode *dir = root.dentry->inode;
	mutex_lock(&dir->lock);
	struct dentry *d = dentry_lookup_locked(root.dentry, name, strlen(name));
	if (IS_ERR(d)) {
		mutex_unlock(&dir->lock);
		return PTR_ERR(d);
	}
	r = d->inode ? may_delete(&root, d, false) : -ENOENT;
	if (r == 0) {
		struct inode *victim = d->inode;

		mutex_lock(&victim->lock);
		r = mqfs_unlink(dir, d);
		mutex_unlock(&victim->lock);
	}
	if (r == 0)
		dentry_delete(d);
	mutex_unlock(&dir->lock);
	if (r == 0)
		notify_dentry(d, 0x200 /* IN_DELETE */);
	dentry_put(d);
	return r;
}
