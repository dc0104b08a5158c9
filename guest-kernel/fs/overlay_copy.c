// SPDX-License-Identifier: Apache-2.0
/*
 * Copy-up: a lower object gets an upper one with the same data, attributes and extended attributes before its first
 * change, and its ancestors before it.
 *
 * The upper directory's lock is held from the creation of the name to the end of the copy, so nobody finds half a
 * file. An object that lost its name meanwhile (or had none) is copied into an unnamed file.
 */
#include "fs/overlay.h"

#include "fs/posix_acl.h"
#include "lib/log.h"
#include "lib/string.h"
#include "task/sched.h"

#define COPY_BUF 65536u
#define XATTR_LIST_MAX 65536u

/* ---- data ---- */
static bool all_zero(const char *p, size_t n)
{
	const uint64_t *w = (const uint64_t *)p;
	size_t i;
	for (i = 0; i < n / 8; i++)
		if (w[i])
			return false;
	for (i *= 8; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static int copy_bytes(struct file *from, struct file *to, uint64_t size)
{
	char *buf = kmalloc(COPY_BUF);
	int r = buf ? 0 : -ENOMEM;
	for (uint64_t off = 0; !r && off < size;) {
		ssize_t_ n = file_read_kernel(from, buf, MIN(size - off, (uint64_t)COPY_BUF), off);
		if (n <= 0) {
			r = (int)n;
			break;
		}
		/* Holes stay holes. */
		if (!all_zero(buf, n)) {
			ssize_t_ w = file_write_kernel(to, buf, n, off);
			if (w != n)
				r = w < 0 ? (int)w : -ENOSPC;
		}
		off += n;
		cond_resched();
	}
	kfree(buf);
	return r;
}

static int copy_data(struct ovl_sb *os, struct ovl_inode *oi, struct dentry *upper, uint64_t limit)
{
	uint64_t size = MIN(READ_ONCE(oi->lower->inode->size), limit);
	if (!size)
		return 0;
	struct path lp = {os->lower.mnt, oi->lower}, up = {os->upper.mnt, upper};
	struct file *from = ovl_open_real(&lp, O_RDONLY, FMODE_READ);
	if (IS_ERR(from))
		return PTR_ERR(from);
	struct file *to = ovl_open_real(&up, O_RDWR, FMODE_READ | FMODE_WRITE);
	int r = IS_ERR(to) ? PTR_ERR(to) : copy_bytes(from, to, size);
	if (!IS_ERR(to))
		file_put(to);
	file_put(from);
	struct iattr a = {.valid = ATTR_SIZE | ATTR_FORCE, .size = size};
	return r ? r : ovl_real_setattr(upper->inode, &a);
}

/* ---- attributes ---- */
static int copy_one_xattr(struct inode *from, struct inode *to, const char *name)
{
	ssize_t_ n = from->ops->getxattr(from, name, NULL, 0);
	if (n < 0)
		return 0;
	void *value = kmalloc(n ? n : 1);
	if (!value)
		return -ENOMEM;
	n = from->ops->getxattr(from, name, value, n);
	int r = n < 0 ? 0 : ovl_real_setxattr(to, name, value, n);
	kfree(value);
	/* What the upper layer cannot hold (POSIX ACLs) was without effect below. */
	return r == -EOPNOTSUPP ? 0 : r;
}

static int copy_xattrs(struct inode *from, struct inode *to)
{
	if (!from->ops->listxattr || !from->ops->getxattr)
		return 0;
	ssize_t_ n = from->ops->listxattr(from, NULL, 0);
	if (n <= 0)
		return 0;
	n = MIN(n + 256, (ssize_t_)XATTR_LIST_MAX);
	char *list = kmalloc(n);
	if (!list)
		return -ENOMEM;
	n = from->ops->listxattr(from, list, n);
	int r = 0;
	for (ssize_t_ i = 0; i < n && !r;) {
		size_t len = strnlen(list + i, n - i);
		if (i + (ssize_t_)len >= n)
			break;
		if (strncmp(list + i, OVL_XATTR_PREFIX, sizeof(OVL_XATTR_PREFIX) - 1))
			r = copy_one_xattr(from, to, list + i);
		i += (ssize_t_)len + 1;
	}
	kfree(list);
	return r;
}

/* The copy has the lists of the original, not what its directory hands down. */
static int copy_acls(struct inode *from, struct inode *to)
{
	int r = 0;
	if (!to->ops->set_acl)
		return 0;
	mutex_lock(&to->lock);
	for (unsigned t = ACL_ACCESS; t <= ACL_DEFAULT && !r; t++) {
		struct posix_acl *acl = acl_get(from, t);
		uint32_t mode = to->mode;
		if (acl || (t == ACL_ACCESS ? to->acl : to->default_acl))
			r = to->ops->set_acl(to, t, acl);
		to->mode = mode;
		acl_put(acl);
	}
	mutex_unlock(&to->lock);
	return r;
}

static int copy_attrs(struct ovl_inode *oi, struct inode *to)
{
	struct kstat st;
	int r = ovl_real_getattr(oi->lower->inode, &st);
	if (!r)
		r = copy_xattrs(oi->lower->inode, to);
	if (!r)
		r = ovl_real_setxattr(to, OVL_XATTR_ORIGIN, &oi->ino, sizeof(oi->ino));
	if (r)
		return r;
	struct iattr a = {
		.valid = ATTR_UID | ATTR_GID | ATTR_ATIME | ATTR_MTIME | ATTR_ATIME_SET | ATTR_MTIME_SET | ATTR_FORCE |
	                 (S_ISLNK(st.mode) ? 0 : ATTR_MODE),
		.mode = st.mode & 07777,
		.uid = st.uid,
		.gid = st.gid,
		.atime = st.atime,
		.mtime = st.mtime,
	};
	r = ovl_real_setattr(to, &a);
	return r || S_ISLNK(st.mode) ? r : copy_acls(oi->lower->inode, to);
}

/* ---- creation ---- */
static int make_object(struct ovl_inode *oi, struct inode *dir, struct dentry *ud)
{
	struct inode *lower = oi->lower->inode;
	uint32_t mode = lower->mode;
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return dir->ops->mkdir(dir, ud, mode);
	case S_IFREG:
		return dir->ops->create(dir, ud, mode);
	case S_IFLNK: {
		char *target = lower->ops->readlink(lower);
		if (IS_ERR(target))
			return PTR_ERR(target);
		int r = dir->ops->symlink(dir, ud, target);
		kfree(target);
		return r;
	}
	default:
		return dir->ops->mknod(dir, ud, mode, lower->rdev);
	}
}

static void undo(struct inode *dir, struct dentry *ud)
{
	int r = S_ISDIR(ud->inode->mode) ? dir->ops->rmdir(dir, ud) : dir->ops->unlink(dir, ud);
	if (r)
		pr_warn("overlay: half a copy stays behind: error %d", -r);
	dentry_delete(ud);
}

/* Creates the upper object under its name; dir locked. The dentry, NULL: the name is taken, or ERR_PTR. */
static struct dentry *copy_named(struct ovl_sb *os, struct ovl_inode *oi, struct dentry *udir, const char *name,
                                 size_t len, uint64_t limit)
{
	struct inode *dir = udir->inode;
	struct dentry *ud = dentry_lookup_locked(udir, name, len);
	if (IS_ERR(ud))
		return ud;
	if (ud->inode) {
		dentry_put(ud);
		return NULL;
	}
	int r = make_object(oi, dir, ud);
	bool made = !r;
	if (!r && S_ISREG(oi->lower->inode->mode))
		r = copy_data(os, oi, ud, limit);
	if (!r)
		r = copy_attrs(oi, ud->inode);
	if (!r)
		return ud;
	if (made)
		undo(dir, ud);
	dentry_put(ud);
	return ERR_PTR(r);
}

/* The object has no name any more: its copy gets none either. */
static struct dentry *copy_unnamed(struct ovl_sb *os, struct ovl_inode *oi, uint64_t limit)
{
	struct dentry *udir = os->upper.dentry;
	if (!S_ISREG(oi->lower->inode->mode) || !udir->inode->ops->tmpfile)
		return ERR_PTR(-ESTALE);
	struct dentry *ud = dentry_alloc(udir, "#deleted", 8);
	if (!ud)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&udir->inode->lock);
	int r = udir->inode->ops->tmpfile(udir->inode, ud, oi->lower->inode->mode);
	mutex_unlock(&udir->inode->lock);
	if (!r) {
		dentry_delete(ud);
		r = copy_data(os, oi, ud, limit);
		if (!r)
			r = copy_attrs(oi, ud->inode);
	}
	if (!r)
		return ud;
	dentry_put(ud);
	return ERR_PTR(r);
}

/* udir NULL: without a name. */
static int copy_one(struct inode *inode, struct dentry *udir, const char *name, size_t len, uint64_t limit)
{
	struct ovl_inode *oi = ovl_i(inode);
	struct ovl_sb *os = ovl_s(inode->sb);
	struct dentry *ud = NULL;
	int r = 0;
	mutex_lock(&oi->copy_lock);
	if (ovl_upper(oi))
		goto out;
	if (udir) {
		struct timespec64 mtime, ctime;
		mutex_lock(&udir->inode->lock);
		mtime = udir->inode->mtime;
		ctime = udir->inode->ctime;
		ud = copy_named(os, oi, udir, name, len, limit);
		/* The directory did not change for those who look at the overlay. */
		udir->inode->mtime = mtime;
		udir->inode->ctime = ctime;
		mutex_unlock(&udir->inode->lock);
	}
	if (!ud)
		ud = copy_unnamed(os, oi, limit);
	if (IS_ERR(ud)) {
		r = PTR_ERR(ud);
		goto out;
	}
	if (!S_ISDIR(inode->mode) && inode->nlink > 1)
		ovl_pin(oi);
	atomic_store(&oi->upper, ud);
	ovl_hash_upper(oi);
	ovl_copy_attr(inode);
out:
	mutex_unlock(&oi->copy_lock);
	return r;
}

static int copy_by_name(struct dentry *parent, struct dentry *d, uint64_t limit)
{
	char *name = kmalloc(NAME_MAX_ + 1);
	if (!name)
		return -ENOMEM;
	spin_lock(&d->lock);
	size_t len = MIN(d->name_len, (uint32_t)NAME_MAX_);
	bool named = d->parent == parent && !(d->flags & DENTRY_DELETED);
	memcpy(name, d->name, len);
	spin_unlock(&d->lock);
	int r = copy_one(d->inode, named ? ovl_upper(ovl_i(parent->inode)) : NULL, name, len, limit);
	kfree(name);
	return r;
}

int ovl_copy_up(struct dentry *d, uint64_t limit)
{
	int r = 0;
	while (!r && !ovl_upper(ovl_i(d->inode))) {
		/* The highest ancestor that has none yet: its parent has one. */
		struct dentry *at = d, *parent;
		dentry_get(at);
		for (;;) {
			dentry_get_parent(at, &parent);
			if (ovl_upper(ovl_i(parent->inode)))
				break;
			dentry_put(at);
			at = parent;
		}
		r = copy_by_name(parent, at, at == d ? limit : UINT64_MAX);
		dentry_put(parent);
		dentry_put(at);
	}
	return r;
}

/* A reference on a dentry that somebody uses already; unused ones may be dying. */
static bool get_if_used(struct dentry *d)
{
	uint32_t n = atomic_load(&d->refs.n);
	while (n & ~DENTRY_SLOW_PUT)
		if (__atomic_compare_exchange_n(&d->refs.n, &n, n + 1, true, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return true;
	return false;
}

int ovl_copy_up_inode(struct inode *inode, uint64_t limit)
{
	struct dentry *d, *found = NULL;
	if (ovl_upper(ovl_i(inode)))
		return 0;
	spin_lock(&inode->spin);
	list_for_each_entry(d, &inode->aliases, alias_link) {
		if (!(d->flags & DENTRY_DELETED) && get_if_used(d)) {
			found = d;
			break;
		}
	}
	spin_unlock(&inode->spin);
	if (!found)
		return copy_one(inode, NULL, NULL, 0, limit);
	int r = ovl_copy_up(found, limit);
	dentry_put(found);
	return r;
}
