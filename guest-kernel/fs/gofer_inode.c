// SPDX-License-Identifier: Apache-2.0
/*
 * Inodes of host files: identity, attributes, extended attributes, super blocks.
 *
 * Exclusive access: attributes are ours and valid until we change something whose result only the host knows (times
 * after a write, link counts); then they are marked stale and read again when asked for. Shared access: read again
 * each time. The same host file reached by two names is one inode (hash by host device and inode number).
 */
#include "fs/gofer.h"

#include <linux/xattr.h>

#include "fs/xattr_caps.h"
#include "lib/string.h"
#include "time/timer.h"
#include "time/timespec.h"

#define NO_DEV UINT64_MAX
/* A file's change time this long ago will be another one after the next change, however coarse its clock. */
#define CTIME_SETTLED_SEC 2

static const struct inode_ops gofer_file_iops, gofer_symlink_iops;

static struct list_node *hash_head(struct gofer_sb *gsb, uint64_t dev, uint64_t ino)
{
	uint64_t x = (ino ^ dev << 32) * 0x9e3779b97f4a7c15UL;
	return &gsb->hash[x >> 56 & (GOFER_HASH_SIZE - 1)];
}

/* st_dev of a host device: the super block's for the root's, else a number of its own. */
static uint64_t map_dev(struct super_block *sb, uint64_t host)
{
	struct gofer_sb *gsb = gofer_s(sb);
	uint64_t dev = sb->dev;
	spin_lock(&gsb->lock);
	uint32_t i;
	for (i = 0; i < gsb->nr_devs && gsb->devs[i].host != host; i++)
		;
	if (i < gsb->nr_devs) {
		dev = gsb->devs[i].dev;
	} else if (i < GOFER_MAX_DEVS) {
		/* Numbers above those that super_alloc hands out. */
		dev = i ? MKDEV(0, 0x80000 + gsb->mount * GOFER_MAX_DEVS + i) : sb->dev;
		gsb->devs[i].host = host;
		gsb->devs[i].dev = dev;
		gsb->nr_devs++;
	}
	spin_unlock(&gsb->lock);
	return dev;
}

static struct timespec64 stamp(int64_t sec, uint32_t nsec)
{
	return (struct timespec64){sec, nsec};
}

static void fill_attr(struct inode *inode, const struct hc_attr *a)
{
	inode->mode = a->mode;
	inode->uid = a->uid;
	inode->gid = a->gid;
	inode->nlink = a->nlink;
	inode->blocks = a->blocks;
	inode->rdev = MKDEV(a->rdev_major, a->rdev_minor);
	inode->atime = stamp(a->atime_sec, a->atime_nsec);
	inode->mtime = stamp(a->mtime_sec, a->mtime_nsec);
	inode->ctime = stamp(a->ctime_sec, a->ctime_nsec);
	inode->btime = stamp(a->btime_sec, a->btime_nsec);
	WRITE_ONCE(inode->size, a->size);
}

void gofer_set_attr(struct gofer_inode *gi, const struct hc_attr *a)
{
	struct inode *inode = gi->inode;
	if ((a->mode & S_IFMT) != (inode->mode & S_IFMT))
		return;
	spin_lock(&gi->lock);
	uint64_t old = inode->size;
	fill_attr(inode, a);
	gi->stale = false;
	spin_unlock(&gi->lock);
	if (a->size < old && S_ISREG(a->mode) && READ_ONCE(gi->maps))
		mapping_unmap(&inode->mapping, (a->size + PAGE_SIZE - 1) >> PAGE_SHIFT, UINT64_MAX >> PAGE_SHIFT, true);
}

void gofer_mark_stale(struct inode *inode)
{
	WRITE_ONCE(gofer_i(inode)->stale, true);
}

static bool same_file(struct gofer_inode *gi, const struct hc_attr *a)
{
	return gi->host_ino == a->ino && gi->host_dev == a->dev && ((gi->inode->mode ^ a->mode) & S_IFMT) == 0 &&
	       gi->inode->btime.tv_sec == a->btime_sec && gi->inode->btime.tv_nsec == a->btime_nsec;
}

void gofer_hash_remove(struct gofer_inode *gi)
{
	struct gofer_sb *gsb = gofer_s(gi->inode->sb);
	spin_lock(&gsb->lock);
	list_del(&gi->hash_link);
	spin_unlock(&gsb->lock);
}

/* The cached inode of a host file with a reference, or NULL; gsb->lock held. */
static struct inode *hash_find(struct gofer_sb *gsb, const struct hc_attr *a)
{
	struct gofer_inode *gi;
	list_for_each_entry(gi, hash_head(gsb, a->dev, a->ino), hash_link)
		if (same_file(gi, a) && ref_get_unless_zero(&gi->inode->refs))
			return gi->inode;
	return NULL;
}

static void set_ops(struct inode *inode)
{
	switch (inode->mode & S_IFMT) {
	case S_IFDIR:
		inode->ops = &gofer_dir_iops;
		inode->fops = &gofer_dir_fops;
		break;
	case S_IFREG:
		inode->ops = &gofer_file_iops;
		inode->fops = &gofer_file_fops;
		break;
	case S_IFLNK:
		inode->ops = &gofer_symlink_iops;
		break;
	default:
		/* FIFOs and devices are the Sentry's own (the VFS opens them): only name, owner and mode are the host's. */
		inode->ops = &gofer_file_iops;
	}
}

static struct gofer_inode *gi_alloc(struct super_block *sb)
{
	struct gofer_inode *gi = kzalloc(sizeof(*gi));
	if (!gi)
		return NULL;
	gi->inode = inode_alloc(sb);
	if (!gi->inode) {
		kfree(gi);
		return NULL;
	}
	spin_init(&gi->lock);
	mutex_init(&gi->io_lock);
	mutex_init(&gi->map_lock);
	list_init(&gi->hash_link);
	list_init(&gi->handle_link);
	list_init(&gi->window_link);
	gi->inode->private = gi;
	return gi;
}

void gofer_set_name(struct gofer_inode *gi, struct gofer_handle *parent, const char *name, uint32_t len)
{
	char *copy = name ? kmemdup_str(name, len) : NULL;
	gofer_handle_put(gi->parent);
	kfree(gi->name);
	gi->parent = copy ? gofer_handle_get(parent) : NULL;
	gi->name = copy;
	gi->name_len = copy ? len : 0;
}

static struct inode *found(struct inode *inode, const struct hc_attr *a, struct gofer_handle *self,
                           struct gofer_handle *parent, const char *name, uint32_t len)
{
	struct gofer_inode *gi = gofer_i(inode);
	struct gofer_sb *gsb = gofer_s(inode->sb);
	gofer_handle_put(self);
	if (gsb->shared || !gi->maps)
		gofer_set_attr(gi, a);
	if (!gi->self && !READ_ONCE(gi->name)) {
		rwsem_write_lock(&gsb->names);
		gofer_set_name(gi, parent, name, len);
		rwsem_write_unlock(&gsb->names);
	}
	return inode;
}

struct inode *gofer_iget(struct super_block *sb, const struct hc_attr *a, struct gofer_handle *self,
                         struct gofer_handle *parent, const char *name, uint32_t len)
{
	struct gofer_sb *gsb = gofer_s(sb);
	spin_lock(&gsb->lock);
	struct inode *old = hash_find(gsb, a);
	spin_unlock(&gsb->lock);
	if (old)
		return found(old, a, self, parent, name, len);
	struct gofer_inode *gi = gi_alloc(sb);
	if (!gi) {
		gofer_handle_put(self);
		return ERR_PTR(-ENOMEM);
	}
	struct inode *inode = gi->inode;
	fill_attr(inode, a);
	inode->ino = a->ino;
	gi->host_ino = a->ino;
	gi->host_dev = a->dev;
	gi->dev = map_dev(sb, a->dev);
	gi->self = self;
	if (!self)
		gofer_set_name(gi, parent, name, len);
	set_ops(inode);
	spin_lock(&gsb->lock);
	old = hash_find(gsb, a);
	if (!old)
		list_add(&gi->hash_link, hash_head(gsb, a->dev, a->ino));
	spin_unlock(&gsb->lock);
	if (!old)
		return inode;
	inode_put(inode);
	return found(old, a, NULL, parent, name, len);
}

int gofer_make_synthetic(struct inode *dir, struct dentry *dentry, uint32_t mode)
{
	struct gofer_inode *gi = gi_alloc(dir->sb);
	if (!gi)
		return -ENOMEM;
	struct inode *inode = gi->inode;
	gi->synthetic = true;
	gi->dev = dir->sb->dev;
	gi->host_dev = NO_DEV;
	inode->mode = mode;
	inode->nlink = S_ISDIR(mode) ? 2 : 1;
	inode->ino = (uint64_t)gi >> 4 | 1UL << 48;
	inode_touch(inode, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	set_ops(inode);
	dentry_instantiate(dentry, inode);
	return 0;
}

/* An open handle of the inode with a reference, or NULL. */
static struct gofer_handle *open_handle(struct gofer_inode *gi, bool writable)
{
	spin_lock(&gi->lock);
	struct gofer_handle *h = gi->rw ? gi->rw : gi->wo;
	if (!h && !writable)
		h = gi->rd;
	if (h)
		gofer_handle_get(h);
	spin_unlock(&gi->lock);
	return h;
}

int gofer_target(struct gofer_inode *gi, struct gofer_target *t, enum gofer_by by)
{
	t->name = NULL;
	t->len = 0;
	t->handle = NULL;
	if (gi->synthetic)
		return -EROFS;
	if (gi->self) {
		t->handle = gofer_handle_get(gi->self);
		return 0;
	}
	if (by != GOFER_BY_NAME || !gi->name)
		t->handle = open_handle(gi, by == GOFER_BY_WRITER);
	if (t->handle)
		return 0;
	if (!gi->name)
		return -ESTALE;
	t->handle = gofer_handle_get(gi->parent);
	t->name = gi->name;
	t->len = gi->name_len;
	return 0;
}

int gofer_refresh(struct inode *inode)
{
	struct gofer_inode *gi = gofer_i(inode);
	struct gofer_sb *gsb = gofer_s(inode->sb);
	struct gofer_target t;
	struct hc_attr a;
	rwsem_read_lock(&gsb->names);
	int64_t r = gofer_target(gi, &t, GOFER_BY_HANDLE);
	if (!r) {
		/* Before the call: what changes during it makes it stale again. */
		WRITE_ONCE(gi->stale, false);
		r = hostcall4(HC_FS_STAT, t.handle->h, t.name, t.len, &a);
		gofer_handle_put(t.handle);
	}
	rwsem_read_unlock(&gsb->names);
	if (r < 0)
		return (int)r;
	if (a.ino != gi->host_ino || a.dev != gi->host_dev)
		return -ESTALE;
	gofer_set_attr(gi, &a);
	return 0;
}

int gofer_getattr(struct inode *inode, struct kstat *st)
{
	struct gofer_inode *gi = gofer_i(inode);
	if (!gi->synthetic && (gofer_s(inode->sb)->shared || READ_ONCE(gi->stale) || READ_ONCE(gi->map_rw))) {
		int r = gofer_refresh(inode);
		/* Unlinked and not open: what we knew last is all there is. */
		if (r && r != -ESTALE && r != -ENOENT)
			return r;
	}
	memset(st, 0, sizeof(*st));
	spin_lock(&gi->lock);
	st->ino = inode->ino;
	st->dev = gi->dev;
	st->rdev = inode->rdev;
	st->size = inode->size;
	st->blocks = inode->blocks;
	st->mode = inode->mode;
	st->nlink = inode->nlink;
	st->uid = inode->uid;
	st->gid = inode->gid;
	st->blksize = inode->sb->blocksize;
	st->atime = inode->atime;
	st->mtime = inode->mtime;
	st->ctime = inode->ctime;
	st->btime = inode->btime;
	st->has_btime = inode->btime.tv_sec != 0;
	spin_unlock(&gi->lock);
	return 0;
}

static void setattr_request(const struct iattr *attr, struct hc_setattr *s)
{
	uint32_t v = attr->valid;
	memset(s, 0, sizeof(*s));
	/* A change of size sets the times by itself. */
	if (v & ATTR_SIZE)
		v &= ~(ATTR_ATIME | ATTR_MTIME);
	s->valid = (v & ATTR_MODE ? HC_SET_MODE : 0) | (v & ATTR_UID ? HC_SET_UID : 0) |
	           (v & ATTR_GID ? HC_SET_GID : 0) | (v & ATTR_SIZE ? HC_SET_SIZE : 0);
	if (v & ATTR_ATIME)
		s->valid |= v & ATTR_ATIME_SET ? HC_SET_ATIME : HC_SET_ATIME_NOW;
	if (v & ATTR_MTIME)
		s->valid |= v & ATTR_MTIME_SET ? HC_SET_MTIME : HC_SET_MTIME_NOW;
	s->mode = attr->mode & 07777;
	s->uid = attr->uid;
	s->gid = attr->gid;
	s->size = attr->size;
	s->atime_sec = attr->atime.tv_sec;
	s->atime_nsec = attr->atime.tv_nsec;
	s->mtime_sec = attr->mtime.tv_sec;
	s->mtime_nsec = attr->mtime.tv_nsec;
}

/* What the change does to the cached inode, when the host has made it. */
static void setattr_apply(struct gofer_inode *gi, const struct iattr *attr)
{
	struct inode *inode = gi->inode;
	spin_lock(&gi->lock);
	if (attr->valid & ATTR_MODE)
		inode->mode = (inode->mode & S_IFMT) | (attr->mode & 07777);
	if (attr->valid & ATTR_UID)
		inode->uid = attr->uid;
	if (attr->valid & ATTR_GID)
		inode->gid = attr->gid;
	if (attr->valid & ATTR_SIZE)
		WRITE_ONCE(inode->size, attr->size);
	if (attr->valid & ATTR_ATIME)
		inode->atime = attr->atime;
	if (attr->valid & ATTR_MTIME)
		inode->mtime = attr->mtime;
	gi->stale = true;
	spin_unlock(&gi->lock);
}

int gofer_setattr(struct inode *inode, struct iattr *attr)
{
	struct gofer_inode *gi = gofer_i(inode);
	struct gofer_sb *gsb = gofer_s(inode->sb);
	struct hc_setattr s;
	struct gofer_target t;
	bool resize = attr->valid & ATTR_SIZE;
	setattr_request(attr, &s);
	if (resize)
		mutex_lock(&gi->io_lock);
	rwsem_read_lock(&gsb->names);
	/* A read-only handle cannot truncate; the name or a writable one can. */
	int64_t r = gofer_target(gi, &t, resize ? GOFER_BY_WRITER : GOFER_BY_NAME);
	if (!r) {
		r = s.valid ? GOFER_FD_CALL(hostcall4(HC_FS_SETATTR, t.handle->h, t.name, t.len, &s)) : 0;
		gofer_handle_put(t.handle);
	}
	rwsem_read_unlock(&gsb->names);
	if (r >= 0) {
		uint64_t old = inode->size;
		setattr_apply(gi, attr);
		if (resize && attr->size < old)
			mapping_unmap(&inode->mapping, (attr->size + PAGE_SIZE - 1) >> PAGE_SHIFT,
			              UINT64_MAX >> PAGE_SHIFT, true);
	}
	if (resize)
		mutex_unlock(&gi->io_lock);
	return r < 0 ? (int)r : 0;
}

/* One xattr call. value must lie in RAM that the host may reach, as every kernel buffer does. */
static ssize_t_ xattr_call(struct inode *inode, uint32_t op, const char *name, const void *value, size_t size, int flags)
{
	struct gofer_inode *gi = gofer_i(inode);
	struct gofer_sb *gsb = gofer_s(inode->sb);
	struct gofer_target t;
	size_t len = name ? strlen(name) : 0;
	if (gi->synthetic)
		return op == HC_XATTR_LIST ? 0 : op == HC_XATTR_GET ? -ENODATA : -EROFS;
	if (len > HC_NAME_MAX)
		return -ERANGE;
	/* The Sentry does not evaluate POSIX ACLs, so it must not let anyone believe in them. */
	if (name && !strncmp(name, "system.", 7))
		return -EOPNOTSUPP;
	struct hc_xattr *x = kzalloc(sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->op = op;
	x->flags = flags;
	x->name_len = (uint32_t)len;
	x->size = (uint32_t)size;
	x->value = (uint64_t)value;
	memcpy(x->name, name ? name : "", len);
	rwsem_read_lock(&gsb->names);
	int64_t r = gofer_target(gi, &t, op == HC_XATTR_GET || op == HC_XATTR_LIST ? GOFER_BY_HANDLE : GOFER_BY_NAME);
	if (!r) {
		r = GOFER_FD_CALL(hostcall4(HC_FS_XATTR, t.handle->h, t.name, t.len, x));
		gofer_handle_put(t.handle);
	}
	rwsem_read_unlock(&gsb->names);
	kfree(x);
	if (r >= 0 && (op == HC_XATTR_SET || op == HC_XATTR_REMOVE)) {
		spin_lock(&gi->lock);
		gi->no_caps = false;
		gi->stale = true;
		spin_unlock(&gi->lock);
	}
	return r;
}

static bool same_time(const struct timespec64 *a, const struct timespec64 *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Capabilities are asked for by each execve(2), and hardly a file has any: that is remembered together with the change
 * time, which is cheaper to ask for and moves when somebody sets some. */
static ssize_t_ get_caps(struct inode *inode, void *value, size_t size)
{
	struct gofer_inode *gi = gofer_i(inode);
	bool ask = gofer_s(inode->sb)->shared || READ_ONCE(gi->stale);
	bool current_ctime = !ask || !gofer_refresh(inode);
	spin_lock(&gi->lock);
	struct timespec64 ctime = inode->ctime;
	bool none = current_ctime && gi->no_caps && same_time(&ctime, &gi->no_caps_ctime);
	spin_unlock(&gi->lock);
	if (none)
		return -ENODATA;
	ssize_t_ n = xattr_call(inode, HC_XATTR_GET, XATTR_NAME_CAPS, value, size, 0);
	if (n == -ENODATA && current_ctime &&
	    ctime.tv_sec + CTIME_SETTLED_SEC < (int64_t)(clock_realtime() / NSEC_PER_SEC)) {
		spin_lock(&gi->lock);
		gi->no_caps = true;
		gi->no_caps_ctime = ctime;
		spin_unlock(&gi->lock);
	}
	return n;
}

ssize_t_ gofer_getxattr(struct inode *inode, const char *name, void *value, size_t size)
{
	if (caps_xattr_name(name) && S_ISREG(inode->mode) && !gofer_i(inode)->synthetic)
		return get_caps(inode, value, size);
	return xattr_call(inode, HC_XATTR_GET, name, value, size, 0);
}

int gofer_setxattr(struct inode *inode, const char *name, const void *value, size_t size, int flags)
{
	return (int)xattr_call(inode, HC_XATTR_SET, name, value, size, flags);
}

ssize_t_ gofer_listxattr(struct inode *inode, char *list, size_t size)
{
	return xattr_call(inode, HC_XATTR_LIST, NULL, list, size, 0);
}

int gofer_removexattr(struct inode *inode, const char *name)
{
	return (int)xattr_call(inode, HC_XATTR_REMOVE, name, NULL, 0, 0);
}

/* Shared mode: what was read is still right while the link is the same one; whoever walked here has just asked. */
static char *known_target(struct gofer_inode *gi, char *buf)
{
	bool known;
	spin_lock(&gi->lock);
	known = gi->target && same_time(&gi->target_ctime, &gi->inode->ctime);
	if (known)
		strlcpy(buf, gi->target, PATH_MAX_ + 1);
	spin_unlock(&gi->lock);
	return known ? kstrdup(buf) : NULL;
}

/* ctime: that of the link when target was read. */
static void know_target(struct gofer_inode *gi, const char *target, struct timespec64 ctime)
{
	if (ctime.tv_sec + CTIME_SETTLED_SEC >= (int64_t)(clock_realtime() / NSEC_PER_SEC))
		return;
	char *keep = kstrdup(target), *old = keep;
	spin_lock(&gi->lock);
	if (keep && same_time(&ctime, &gi->inode->ctime)) {
		old = gi->target;
		gi->target = keep;
		gi->target_ctime = ctime;
	}
	spin_unlock(&gi->lock);
	kfree(old);
}

static char *gofer_readlink(struct inode *inode)
{
	struct gofer_inode *gi = gofer_i(inode);
	struct gofer_sb *gsb = gofer_s(inode->sb);
	struct gofer_target t;
	if (!gsb->shared && READ_ONCE(gi->target))
		return kstrdup(gi->target); /* never replaced once set */
	char *buf = kmalloc(PATH_MAX_ + 1);
	if (!buf)
		return ERR_PTR(-ENOMEM);
	char *known = gsb->shared ? known_target(gi, buf) : NULL;
	if (known) {
		kfree(buf);
		return known;
	}
	spin_lock(&gi->lock);
	struct timespec64 ctime = inode->ctime;
	spin_unlock(&gi->lock);
	rwsem_read_lock(&gsb->names);
	int64_t r = gofer_target(gi, &t, GOFER_BY_NAME);
	if (!r) {
		r = hostcall5(HC_FS_READLINK, t.handle->h, t.name, t.len, buf, PATH_MAX_);
		gofer_handle_put(t.handle);
	}
	rwsem_read_unlock(&gsb->names);
	char *out = r < 0 ? ERR_PTR(r) : kmemdup_str(buf, r);
	kfree(buf);
	if (!out)
		return ERR_PTR(-ENOMEM);
	if (!IS_ERR(out) && gsb->shared)
		know_target(gi, out, ctime);
	if (!IS_ERR(out) && !gsb->shared) {
		char *keep = kstrdup(out);
		spin_lock(&gi->lock);
		if (!gi->target) {
			WRITE_ONCE(gi->target, keep);
			WRITE_ONCE(inode->link, keep); /* the path walk needs no copy from now on */
			keep = NULL;
		}
		spin_unlock(&gi->lock);
		kfree(keep);
	}
	return out;
}

static const struct inode_ops gofer_file_iops = {
	.getattr = gofer_getattr,
	.setattr = gofer_setattr,
	.getxattr = gofer_getxattr,
	.setxattr = gofer_setxattr,
	.listxattr = gofer_listxattr,
	.removexattr = gofer_removexattr,
};

static const struct inode_ops gofer_symlink_iops = {
	.readlink = gofer_readlink,
	.getattr = gofer_getattr,
	.setattr = gofer_setattr,
	.getxattr = gofer_getxattr,
	.setxattr = gofer_setxattr,
	.listxattr = gofer_listxattr,
	.removexattr = gofer_removexattr,
};
