// SPDX-License-Identifier: Apache-2.0
/*
 * mount(2), umount2(2), pivot_root(2), and what sys_mount_fd.c shares with them.
 *
 * Mount flags of Linux are all understood; propagation types are recorded for /proc/self/mountinfo only. Needs
 * CAP_SYS_ADMIN.
 */
#include <linux/mount.h>

#include "fs/mount.h"
#include "fs/namei.h"
#include "lib/string.h"
#include "syscall/syscall.h"
#include "task/task.h"

#define PER_MOUNT (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | \
                   MS_STRICTATIME | MS_NOSYMFOLLOW)
#define PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#define MNT_FORCE_ 1u
#define MNT_DETACH_ 2u
#define MNT_EXPIRE_ 4u
#define UMOUNT_NOFOLLOW_ 8u

static int next_peer_group = 1;

/* The mount whose root p is, or NULL. */
static struct mount *mount_at(const struct path *p) { return p->dentry == p->mnt->root ? p->mnt : NULL; }

/* mount_lock held: the next mount below top in tree order after prev. The list of mounts has parents first. */
static struct mount *next_below(struct mount *top, struct mount *prev)
{
	struct list_node *n = prev->link.next;
	for (; n != &top->ns->mounts; n = n->next) {
		struct mount *m = list_entry(n, struct mount, link);
		if (m != top && mount_is_below(m, top))
			return m;
	}
	return NULL;
}

struct clone_map {
	struct {
		struct mount *old, *new;
	} *pair;
	uint32_t n, max;
};

static int map_add(struct clone_map *map, struct mount *old, struct mount *new)
{
	if (map->n == map->max) {
		void *more = kmalloc(sizeof(*map->pair) * (map->max ? 2 * map->max : 16));
		if (!more)
			return -ENOMEM;
		if (map->n)
			memcpy(more, map->pair, sizeof(*map->pair) * map->n);
		kfree(map->pair);
		map->pair = more;
		map->max = map->max ? 2 * map->max : 16;
	}
	map->pair[map->n].old = old;
	map->pair[map->n++].new = new;
	return 0;
}

static struct mount *map_find(const struct clone_map *map, const struct mount *old)
{
	for (uint32_t i = 0; i < map->n; i++)
		if (map->pair[i].old == old)
			return map->pair[i].new;
	return NULL;
}

static int clone_one(struct clone_map *map, struct mount *m, struct mount *parent, struct dentry *mp)
{
	super_get(m->sb);
	struct mount *c = mount_alloc(m->sb, m->root, m->flags, m->source);
	if (!c)
		return -ENOMEM;
	c->peer_group = m->peer_group;
	if (map_add(map, m, c)) {
		mount_put(c);
		return -ENOMEM;
	}
	spin_lock(&mount_lock);
	(void)mount_enter(c, parent->ns);
	mount_link(c, parent, mp);
	spin_unlock(&mount_lock);
	return 0;
}

/* Copies the mounts below from's dentry onto top, the copy of from. Nobody else sees top yet. */
static int clone_submounts(const struct path *from, struct mount *top)
{
	struct clone_map map = {0};
	struct mount *m = from->mnt;
	int r = map_add(&map, m, top);
	mount_get(m);
	while (r == 0) {
		struct mount *parent = NULL;
		struct dentry *mp = NULL;
		spin_lock(&mount_lock);
		struct mount *next = list_empty(&m->link) ? NULL : next_below(from->mnt, m);
		if (next) {
			mount_get(next);
			mp = next->mountpoint;
			dentry_get(mp);
			parent = map_find(&map, next->parent);
		}
		spin_unlock(&mount_lock);
		mount_put(m);
		m = next;
		if (!m)
			break;
		/* mounts of the first level count only below the directory that is copied */
		if (parent && (parent != top || dentry_is_ancestor(from->dentry, mp)))
			r = clone_one(&map, m, parent, mp);
		dentry_put(mp);
	}
	mount_put(m);
	kfree(map.pair);
	return r;
}

struct mount *mount_clone_tree(const struct path *from, bool recursive)
{
	struct mount *old = from->mnt;
	spin_lock(&mount_lock);
	bool there = mount_in_tree(old);
	spin_unlock(&mount_lock);
	if (!there)
		return ERR_PTR(-EINVAL);
	super_get(old->sb);
	struct mount *m = mount_alloc_tree(old->sb, from->dentry, old->flags, old->source);
	if (IS_ERR(m))
		return m;
	m->peer_group = old->peer_group;
	int r = recursive ? clone_submounts(from, m) : 0;
	if (r) {
		mount_dissolve(m);
		return ERR_PTR(r);
	}
	return m;
}

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

static int do_remount(const struct path *at, uint32_t flags, const char *data)
{
	struct mount *m = mount_at(at);
	if (!m)
		return -EINVAL;
	uint32_t keep = m->flags & ~PER_MOUNT, new = flags & PER_MOUNT;
	/* atime flags stay when none is given */
	if (!(flags & (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME)))
		new |= m->flags & (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME);
	if (!(flags & MS_BIND)) {
		int r = super_remount(m->sb, flags, data);
		if (r)
			return r;
	}
	spin_lock(&mount_lock);
	m->flags = keep | new;
	struct mnt_ns *ns = m->ns;
	spin_unlock(&mount_lock);
	mount_changed(ns);
	return 0;
}

static void set_propagation(struct mount *m, uint32_t type)
{
	if (type == MS_SHARED) {
		if (!m->peer_group)
			m->peer_group = next_peer_group++;
		return;
	}
	m->master_group = type == MS_SLAVE ? m->peer_group : 0;
	m->peer_group = 0;
}

int mount_change(const struct path *p, uint32_t set, uint32_t clear, uint32_t propagation, bool recursive)
{
	struct mount *m = mount_at(p), *c;
	if (!m)
		return -EINVAL;
	spin_lock(&mount_lock);
	if (!mount_in_tree(m)) {
		spin_unlock(&mount_lock);
		return -EINVAL;
	}
	list_for_each_entry(c, &m->ns->mounts, link) {
		if (c != m && !(recursive && mount_is_below(c, m)))
			continue;
		c->flags = (c->flags & ~clear) | set;
		if (propagation)
			set_propagation(c, propagation);
	}
	struct mnt_ns *ns = m->ns;
	spin_unlock(&mount_lock);
	mount_changed(ns);
	return 0;
}

static int do_propagation(const struct path *at, uint32_t flags)
{
	uint32_t type = flags & ~(MS_REC | MS_SILENT);
	if ((type & (type - 1)) || (type & ~PROPAGATION))
		return -EINVAL;
	return mount_change(at, 0, 0, type, flags & MS_REC);
}

/* The list keeps parents before children: what moved goes to the end, with what is below it. mount_lock held. */
static void relist(struct mount *top)
{
	struct list_node moved;
	list_init(&moved);
	struct mount *m, *tmp;
	list_for_each_entry_safe(m, tmp, &top->ns->mounts, link)
		if (mount_is_below(m, top))
			list_move_tail(&m->link, &moved);
	while (!list_empty(&moved))
		list_move_tail(moved.next, &top->ns->mounts);
}

int mount_move(const struct path *from, const struct path *at)
{
	struct mount *m = mount_at(from);
	struct dentry *old = NULL;
	struct mnt_ns *own = NULL;
	bool same_kind = m && ((m->root->inode->mode ^ at->dentry->inode->mode) & S_IFMT) == 0;
	int r = 0;
	spin_lock(&mount_lock);
	if (!same_kind || !mount_in_tree(at->mnt))
		r = -EINVAL;
	else if (at->dentry->flags & DENTRY_DELETED)
		r = -ENOENT;
	else if (mount_is_below(at->mnt, m))
		r = -ELOOP;
	else if (m->ns == current->nsproxy->mnt ? !m->parent || at->mnt->ns != m->ns : m != m->ns->root)
		r = -EINVAL; /* from the namespace any mount but its root, from a tree of its own only the root */
	if (r == 0) {
		old = mount_unlink(m);
		own = mount_enter(m, at->mnt->ns);
		mount_link(m, at->mnt, at->dentry);
		relist(m);
	}
	spin_unlock(&mount_lock);
	if (old)
		dentry_put(old);
	kfree(own);
	if (r == 0)
		mount_changed(at->mnt->ns);
	return r;
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
	return vfs_mount(source, at, type, mount_flags(flags), data);
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
		r = capable(CAP_SYS_ADMIN) ? do_mount(source, &at, type, flags, data) : -EPERM;
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
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	struct path p;
	int r = path_lookup_user(AT_FDCWD, name, flags & UMOUNT_NOFOLLOW_ ? 0 : LOOKUP_FOLLOW, &p);
	if (r)
		return r;
	struct mount *m = mount_at(&p);
	if (!m || m->ns != current->nsproxy->mnt) {
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

static int do_pivot(const struct path *new, const struct path *put, const struct path *root)
{
	struct mount *nm = new->mnt, *rm = root->mnt;
	if (new->dentry != nm->root || root->dentry != rm->root)
		return -EINVAL;
	if (nm == rm || put->mnt == rm)
		return -EBUSY;
	if (!dentry_is_ancestor(new->dentry, put->dentry) && put->mnt == nm)
		return -EINVAL;
	struct dentry *drop[2] = {NULL, NULL};
	int r = 0;
	spin_lock(&mount_lock);
	if (!nm->parent || !mount_is_below(put->mnt, nm) || !mount_is_below(nm, rm)) {
		r = -EINVAL;
	} else {
		struct mount *above = rm->parent;
		struct dentry *mp = rm->mountpoint;
		if (mp)
			dentry_get(mp);
		drop[0] = mount_unlink(nm);
		drop[1] = mount_unlink(rm);
		if (above) {
			mount_link(nm, above, mp);
			dentry_put(mp); /* mount_link has its own: never the last */
		} else {
			nm->ns->root = nm;
		}
		mount_link(rm, put->mnt, put->dentry);
		/* parents first again: the new root, its mounts, then the old root and what is below */
		relist(nm);
		relist(rm);
	}
	spin_unlock(&mount_lock);
	for (int i = 0; i < 2; i++)
		if (drop[i])
			dentry_put(drop[i]);
	return r;
}

int64_t sys_pivot_root(const struct sysargs *a)
{
	struct path new, put, root;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	int r = path_lookup_user(AT_FDCWD, arg_uva(a, 0), LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &new);
	if (r)
		return r;
	r = path_lookup_user(AT_FDCWD, arg_uva(a, 1), LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &put);
	if (r == 0) {
		fs_get_root(&root);
		r = do_pivot(&new, &put, &root);
		if (r == 0) {
			replace_root(&root, &new);
			mount_changed(current->nsproxy->mnt);
		}
		path_put(&root);
		path_put(&put);
	}
	path_put(&new);
	return r;
}
