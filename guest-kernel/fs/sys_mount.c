// SPDX-License-Identifier: Apache-2.0
/*
 * mount(2), umount2(2), pivot_root(2), and what sys_mount_fd.c shares with them. All need CAP_SYS_ADMIN in the user
 * namespace that owns the mount namespace, new file systems also in the one that owns what they show.
 */
#include <linux/mount.h>

#include "fs/mount.h"
#include "fs/namei.h"
#include "lib/string.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_ns.h"

#define PER_MOUNT (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | \
                   MS_STRICTATIME | MS_NOSYMFOLLOW)
#define PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#define MNT_FORCE_ 1u
#define MNT_DETACH_ 2u
#define MNT_EXPIRE_ 4u
#define UMOUNT_NOFOLLOW_ 8u

bool may_mount(void)
{
	return ns_capable(current->nsproxy->mnt->ns.user_ns, CAP_SYS_ADMIN);
}

bool may_create_super(const struct fs_type *type)
{
	return ns_capable(type->owner ? type->owner() : &init_user_ns, CAP_SYS_ADMIN);
}

int mount_type_allowed(const struct fs_type *type, uint32_t flags)
{
	if (!may_create_super(type))
		return -EPERM;
	if (type->shows_same && current->nsproxy->mnt->ns.user_ns != &init_user_ns && !mount_fully_visible(type, flags))
		return -EPERM;
	return 0;
}

/* The mount whose root p is, or NULL. */
static struct mount *mount_at(const struct path *p) { return p->dentry == p->mnt->root ? p->mnt : NULL; }

static int do_bind(const struct path *at, const char *source, bool recursive)
{
	struct path from;
	if (!source || !*source)
		return -EINVAL;
	int r = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from);
	if (r)
		return r;
	struct mount *m = mount_clone_tree(&from, recursive);
	path_put(&from);
	if (IS_ERR(m))
		return PTR_ERR(m);
	r = mount_graft(m, at);
	if (r)
		mount_dissolve(m);
	return r;
}

int super_remount(struct super_block *sb, uint32_t flags, const char *data)
{
	/* files open for writing forbid a read-only state */
	if ((flags & MS_RDONLY) && !(sb->flags & MS_RDONLY)) {
		struct inode *i;
		bool busy = false;
		spin_lock(&sb->lock);
		list_for_each_entry(i, &sb->inodes, sb_link)
			busy |= READ_ONCE(i->write_count) > 0;
		spin_unlock(&sb->lock);
		if (busy)
			return -EBUSY;
	}
	int r = data && *data && sb->ops && sb->ops->remount ? sb->ops->remount(sb, data) : 0;
	if (r == 0)
		sb->flags = (sb->flags & ~(uint32_t)MS_RDONLY) | (flags & MS_RDONLY);
	return r;
}

/* How access times are kept: relatime is the default. */
static uint32_t atime_kind(uint32_t flags)
{
	uint32_t kind = flags & (MS_NOATIME | MS_STRICTATIME);

	return (kind ? kind : MS_RELATIME) | (flags & MS_NODIRATIME);
}

/* May flags that a more privileged namespace has locked change? */
static bool flags_locked(const struct mount *m, uint32_t flags)
{
	uint32_t keep = m->locked_flags & (MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC);

	return (keep & ~flags) || ((m->locked_flags & MS_RELATIME) && atime_kind(m->flags) != atime_kind(flags));
}

static int do_remount(const struct path *at, uint32_t flags, const char *data)
{
	struct mount *m = mount_at(at);
	if (!m)
		return -EINVAL;
	uint32_t keep = m->flags & ~PER_MOUNT, new = flags & PER_MOUNT;
	/* atime flags stay when none is given */
	if (!(flags & (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME)))
		new |= m->flags & (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME);
	if (!mount_is_ours(m))
		return -EINVAL;
	if (flags_locked(m, new))
		return -EPERM;
	if (!(flags & MS_BIND)) {
		/* The file system belongs to whoever mounted it. */
		if (!ns_capable(m->sb->user_ns, CAP_SYS_ADMIN))
			return -EPERM;
		int r = super_remount(m->sb, flags, data);
		if (r)
			return r;
	}
	spin_lock(&mount_lock);
	m->flags = keep | new;
	mount_changed(m->ns);
	spin_unlock(&mount_lock);
	return 0;
}

int mount_change(const struct path *p, uint32_t set, uint32_t clear, uint32_t propagation, bool recursive)
{
	struct mount *m = mount_at(p), *c;
	int r = 0;
	if (!m)
		return -EINVAL;
	spin_lock(&mount_lock);
	if (!mount_in_tree(m) || (m->ns->ns.inum && !mount_is_ours(m)))
		r = -EINVAL;
	struct mnt_ns *ns = m->ns;
	for (int step = 0; step < 2 && !r; step++) { /* first whether all may change, then all of them */
		list_for_each_entry(c, &ns->mounts, link) {
			if (c != m && !(recursive && mount_is_below(c, m)))
				continue;
			uint32_t flags = (c->flags & ~clear) | set;
			if (step == 0 && flags != c->flags && flags_locked(c, flags))
				r = -EPERM;
			if (step == 1) {
				c->flags = flags;
				if (propagation)
					mount_set_type(c, propagation);
			}
		}
	}
	if (!r)
		mount_changed(ns);
	spin_unlock(&mount_lock);
	return r;
}

static int do_propagation(const struct path *at, uint32_t flags)
{
	uint32_t type = flags & ~(MS_REC | MS_SILENT);
	if ((type & (type - 1)) || (type & ~PROPAGATION))
		return -EINVAL;
	return mount_change(at, 0, 0, type, flags & MS_REC);
}

static int do_move(const struct path *at, const char *source)
{
	struct path from;
	if (!source || !*source)
		return -EINVAL;
	int r = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from);
	if (r)
		return r;
	r = mount_move(&from, at);
	path_put(&from);
	return r;
}

static uint32_t mount_flags(uint64_t flags)
{
	uint32_t f = flags & PER_MOUNT;
	if (f & MS_NOATIME)
		f &= ~(MS_RELATIME | MS_STRICTATIME);
	else if (!(f & MS_STRICTATIME))
		f |= MS_RELATIME;
	return f;
}

static int do_mount(const char *source, const struct path *at, const char *type, uint64_t flags, const char *data)
{
	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~(uint64_t)MS_MGC_MSK;
	if ((flags & (MS_REMOUNT | MS_BIND)) == (MS_REMOUNT | MS_BIND) || (flags & MS_REMOUNT))
		return do_remount(at, flags, data);
	if (flags & MS_BIND)
		return do_bind(at, source, flags & MS_REC);
	if (flags & PROPAGATION)
		return do_propagation(at, flags);
	if (flags & MS_MOVE)
		return do_move(at, source);
	if (!type)
		return -EINVAL;
	const struct fs_type *t = fs_type_find(type);
	if (!t)
		return -ENODEV;
	int r = mount_type_allowed(t, mount_flags(flags));
	return r ? r : vfs_mount(source, at, type, mount_flags(flags), data);
}

/* A string argument that may be NULL. */
static int optional_string(uva_t u, char **out)
{
	*out = NULL;
	if (!u.v)
		return 0;
	char *s = kmalloc(PATH_MAX_);
	if (!s)
		return -ENOMEM;
	ssize_t_ n = copy_in_string(s, u, PATH_MAX_);
	if (n < 0) {
		kfree(s);
		return n == -ENAMETOOLONG ? -EINVAL : (int)n;
	}
	*out = s;
	return 0;
}

/* The data page: at most a page, ended by NUL or by its size. */
static int mount_data(uva_t u, char **out)
{
	*out = NULL;
	if (!u.v)
		return 0;
	char *s = kzalloc(PAGE_SIZE);
	if (!s)
		return -ENOMEM;
	if (copy_in_partial(s, u, PAGE_SIZE - 1) == 0) {
		kfree(s);
		return -EFAULT;
	}
	*out = s;
	return 0;
}

int64_t sys_mount(const struct sysargs *a)
{
	uva_t target = arg_uva(a, 1);
	uint64_t flags = arg_u64(a, 3);
	char *source = NULL, *type = NULL, *data = NULL;
	struct path at = {0};
	int r = optional_string(arg_uva(a, 2), &type);
	if (r == 0)
		r = optional_string(arg_uva(a, 0), &source);
	if (r == 0)
		r = mount_data(arg_uva(a, 4), &data);
	if (r == 0)
		r = path_lookup_user(AT_FDCWD, target, LOOKUP_FOLLOW, &at);
	if (r == 0)
		r = may_mount() ? do_mount(source, &at, type, flags, data) : -EPERM;
	path_put(&at);
	kfree(source);
	kfree(type);
	kfree(data);
	return r;
}

int64_t sys_umount2(const struct sysargs *a)
{
	uva_t name = arg_uva(a, 0);
	uint32_t flags = arg_u32(a, 1);
	if (flags & ~(MNT_FORCE_ | MNT_DETACH_ | MNT_EXPIRE_ | UMOUNT_NOFOLLOW_))
		return -EINVAL;
	if (!may_mount())
		return -EPERM;
	struct path p;
	int r = path_lookup_user(AT_FDCWD, name, flags & UMOUNT_NOFOLLOW_ ? 0 : LOOKUP_FOLLOW, &p);
	if (r)
		return r;
	/* "." too means what is mounted there by now. */
	struct nameidata none = {0};
	r = nd_cross_mounts(&none, &p);
	if (r) {
		path_put(&p);
		return r;
	}
	struct mount *m = mount_at(&p);
	if (!m || !mount_is_ours(m)) {
		r = -EINVAL;
	} else if (flags & MNT_EXPIRE_) {
		r = flags & (MNT_FORCE_ | MNT_DETACH_) ? -EINVAL : -EAGAIN;
	} else if (m == m->ns->root) {
		r = -EBUSY;
	} else {
		r = mount_detach(m, flags & MNT_DETACH_, 1);
	}
	path_put(&p);
	return r;
}

/* ---- pivot_root ---- */
/* Every task whose root or cwd was the old root moves to the new one. */
static void replace_root(const struct path *old, const struct path *new)
{
	for (;;) {
		struct fs_context *hit = NULL;
		struct path dropped = {0};
		spin_lock(&tasklist_lock);
		struct process *p;
		list_for_each_entry(p, &process_list, all_link) {
			struct task *t;
			list_for_each_entry(t, &p->threads, thread_link) {
				spin_lock(&t->lock);
				struct fs_context *fs = t->fs;
				if (fs && !hit) {
					spin_lock(&fs->lock);
					struct path *slot = fs->root.mnt == old->mnt && fs->root.dentry == old->dentry ? &fs->root
					                    : fs->cwd.mnt == old->mnt && fs->cwd.dentry == old->dentry ? &fs->cwd
					                                                                               : NULL;
					if (slot) {
						dropped = *slot;
						*slot = *new;
						path_get(slot);
						hit = fs;
					}
					spin_unlock(&fs->lock);
				}
				spin_unlock(&t->lock);
				if (hit)
					break;
			}
			if (hit)
				break;
		}
		spin_unlock(&tasklist_lock);
		if (!hit)
			return;
		path_put(&dropped);
	}
}

int64_t sys_pivot_root(const struct sysargs *a)
{
	struct path new, put, root;
	if (!may_mount())
		return -EPERM;
	int r = path_lookup_user(AT_FDCWD, arg_uva(a, 0), LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &new);
	if (r)
		return r;
	r = path_lookup_user(AT_FDCWD, arg_uva(a, 1), LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &put);
	if (r == 0) {
		fs_get_root(&root);
		r = mount_pivot(&new, &put, &root);
		if (r == 0)
			replace_root(&root, &new);
		path_put(&root);
		path_put(&put);
	}
	path_put(&new);
	return r;
}
