// SPDX-License-Identifier: Apache-2.0
/*
 * The path walk (path_resolution(7), openat2(2)).
 *
 * One loop over components. Symlinks push a frame (their text, and what remains after them) instead of recursing. A
 * component of a cached name costs one bucket lock and two reference changes; nothing is allocated. The walk holds
 * references on where it is, and takes the root only when a "..", an absolute target or a RESOLVE_* flag needs it.
 */
#include "fs/namei.h"
#include "fs/proc/proc.h"

#include <linux/mount.h>

#include "lib/string.h"
#include "task/task.h"

void path_put(struct path *p)
{
	if (p->mnt) {
		dentry_put(p->dentry);
		mount_put(p->mnt);
		p->mnt = NULL;
		p->dentry = NULL;
	}
}

static void need_root(struct nameidata *nd)
{
	if (!nd->root.mnt)
		fs_get_root(&nd->root);
}

int nd_start(struct nameidata *nd, int dfd, const char *name, uint32_t flags)
{
	memset(nd, 0, sizeof(*nd));
	nd->flags = flags;
	nd->frames = nd->inline_frames;
	nd->pos = name;
	if (!*name && !(flags & LOOKUP_EMPTY))
		return -ENOENT;
	if (*name == '/' && !(flags & LOOKUP_IN_ROOT)) {
		if (flags & LOOKUP_BENEATH)
			return -EXDEV;
		fs_get_root(&nd->path);
		if (flags & LOOKUP_NO_XDEV)
			need_root(nd);
		return 0;
	}
	if (dfd == AT_FDCWD) {
		fs_get_cwd(&nd->path);
	} else {
		struct fdref r = fdref_get_path(dfd);
		if (!r.file)
			return -EBADF;
		nd->path = r.file->path;
		path_get(&nd->path);
		fdref_put(r);
		if (*name && (nd->path.dentry->inode->mode & S_IFMT) != S_IFDIR)
			return -ENOTDIR;
	}
	if (flags & (LOOKUP_IN_ROOT | LOOKUP_BENEATH)) {
		nd->start = nd->path;
		path_get(&nd->start);
		nd->root = nd->path;
		path_get(&nd->root);
	}
	return 0;
}

static void pop_frame(struct nameidata *nd)
{
	struct link_frame *f = &nd->frames[--nd->depth];
	nd->pos = f->rest;
	kfree(f->owned);
	if (f->hold)
		inode_put(f->hold);
}

void nd_done(struct nameidata *nd)
{
	while (nd->depth)
		pop_frame(nd);
	if (nd->frames != nd->inline_frames)
		kfree(nd->frames);
	path_put(&nd->path);
	path_put(&nd->root);
	path_put(&nd->start);
}

int nd_cross_mounts(const struct nameidata *nd, struct path *p)
{
	while (unlikely(atomic_load(&p->dentry->mounted))) {
		struct mount *m = mount_lookup(p->mnt, p->dentry);
		if (!m)
			return 0;
		if (nd->flags & LOOKUP_NO_XDEV) {
			mount_put(m);
			return -EXDEV;
		}
		dentry_get(m->root);
		path_put(p);
		p->mnt = m;
		p->dentry = m->root;
	}
	return 0;
}

static bool same_path(const struct path *a, const struct path *b) { return a->mnt == b->mnt && a->dentry == b->dentry; }

static int step_dotdot(struct nameidata *nd)
{
	need_root(nd);
	for (;;) {
		if (same_path(&nd->path, &nd->root))
			return nd->flags & LOOKUP_BENEATH ? -EXDEV : 0;
		if (nd->path.dentry != nd->path.mnt->root)
			break;
		struct path p = nd->path;
		path_get(&p);
		if (!mount_parent_of(&p)) {
			path_put(&p);
			return 0;
		}
		if (nd->flags & LOOKUP_NO_XDEV) {
			path_put(&p);
			return -EXDEV;
		}
		path_put(&nd->path);
		nd->path = p;
	}
	struct dentry *parent, *old = nd->path.dentry;
	dentry_get_parent(old, &parent);
	nd->path.dentry = parent;
	dentry_put(old);
	return nd_cross_mounts(nd, &nd->path);
}

int nd_enter_last(struct nameidata *nd) { return nd->last_type == LAST_DOTDOT ? step_dotdot(nd) : 0; }

/* /proc/sys/fs/protected_symlinks: links in sticky world-writable directories are followed only by their owner,
 * or when the directory's owner made them. */
static int may_follow(const struct nameidata *nd, const struct inode *link)
{
	const struct inode *dir = nd->path.dentry->inode;
	if ((dir->mode & (S_ISVTX | S_IWOTH)) != (S_ISVTX | S_IWOTH))
		return 0;
	if (current->cred->fsuid == link->uid || dir->uid == link->uid)
		return 0;
	return proc_sys_value("protected_symlinks") ? -EACCES : 0;
}

static int grow_frames(struct nameidata *nd)
{
	if (nd->depth < LINK_FRAMES_INLINE || nd->frames != nd->inline_frames)
		return 0;
	struct link_frame *f = kmalloc(sizeof(*f) * (MAX_SYMLINKS + 1));
	if (!f)
		return -ENOMEM;
	memcpy(f, nd->inline_frames, sizeof(nd->inline_frames));
	nd->frames = f;
	return 0;
}

static int jump(struct nameidata *nd, struct path *to)
{
	if ((nd->flags & LOOKUP_NO_XDEV) && to->mnt != nd->path.mnt) {
		path_put(to);
		return -EXDEV;
	}
	path_put(&nd->path);
	nd->path = *to;
	return 0;
}

/* Follows the symlink d, a child of nd->path; nd->pos is what remains after it. Keeps no reference on d. */
static int follow(struct nameidata *nd, struct dentry *d, bool final)
{
	struct inode *i = d->inode;
	if (nd->flags & LOOKUP_NO_SYMLINKS)
		return -ELOOP;
	if (++nd->nlinks > MAX_SYMLINKS)
		return -ELOOP;
	if (nd->path.mnt->flags & MS_NOSYMFOLLOW)
		return -ELOOP;
	int r = final ? may_follow(nd, i) : 0;
	if (r)
		return r;
	path_accessed(&(struct path){nd->path.mnt, d});
	if (i->ops->follow) {
		struct path to;
		if (nd->flags & LOOKUP_NO_MAGICLINKS)
			return -ELOOP;
		if (nd->flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT))
			return -EXDEV;
		r = i->ops->follow(i, &to);
		return r ? r : jump(nd, &to);
	}
	r = grow_frames(nd);
	if (r)
		return r;
	struct link_frame f = {.rest = nd->pos};
	const char *text = i->link;
	if (text) {
		inode_get(i);
		f.hold = i;
	} else {
		if (!i->ops->readlink)
			return -EINVAL;
		f.owned = i->ops->readlink(i);
		if (IS_ERR(f.owned))
			return PTR_ERR(f.owned);
		text = f.owned;
	}
	nd->frames[nd->depth++] = f;
	nd->pos = text;
	if (!*text)
		return -ENOENT;
	if (*text != '/')
		return 0;
	/* Linux compares mounts only once it knows the root, and refuses before that */
	if ((nd->flags & LOOKUP_BENEATH) || ((nd->flags & LOOKUP_NO_XDEV) && !nd->root.mnt))
		return -EXDEV;
	need_root(nd);
	struct path root = nd->root;
	path_get(&root);
	return jump(nd, &root);
}

int nd_follow_last(struct nameidata *nd, struct dentry *d) { return follow(nd, d, true); }

/* Is nothing but slashes left after p, here and in the frames below? Notes trailing slashes. */
static bool is_last(struct nameidata *nd, const char *p, bool *slash)
{
	*slash = false;
	for (unsigned i = nd->depth;; i--) {
		for (; *p == '/'; p++)
			*slash = true;
		if (*p)
			return false;
		if (i == 0)
			return true;
		p = nd->frames[i - 1].rest;
	}
}

static struct dentry *lookup_child(struct nameidata *nd, const char *name, size_t len, uint32_t hash)
{
	struct dentry *dir = nd->path.dentry;
	if (!dir->sb->ops || !dir->sb->ops->revalidate) {
		struct dentry *d = dentry_lookup_hash(dir, name, len, hash);
		if (likely(d != NULL))
			return d;
	}
	return dentry_lookup(dir, name, len);
}

/* One ordinary component. 1: it was a symlink, now followed. */
static int step_name(struct nameidata *nd, const char *name, size_t len, uint32_t hash, bool last, bool slash)
{
	struct dentry *d = lookup_child(nd, name, len, hash);
	if (IS_ERR(d))
		return PTR_ERR(d);
	struct inode *i = __atomic_load_n(&d->inode, __ATOMIC_ACQUIRE);
	if (!i) {
		dentry_put(d);
		return -ENOENT;
	}
	if (unlikely((i->mode & S_IFMT) == S_IFLNK) && (!last || slash || (nd->flags & LOOKUP_FOLLOW))) {
		int r = follow(nd, d, last);
		dentry_put(d);
		return r ? r : 1;
	}
	struct dentry *old = nd->path.dentry;
	nd->path.dentry = d;
	dentry_put(old);
	return nd_cross_mounts(nd, &nd->path);
}

int nd_walk(struct nameidata *nd)
{
	for (;;) {
		const char *s = nd->pos;
		while (*s == '/')
			s++;
		if (!*s) {
			if (nd->depth) {
				pop_frame(nd);
				continue;
			}
			nd->last_type = LAST_ROOT;
			nd->last_len = 0;
			break;
		}
		struct inode *dir = nd->path.dentry->inode;
		if ((dir->mode & S_IFMT) != S_IFDIR)
			return -ENOTDIR;
		int r = inode_permission(dir, MAY_EXEC);
		if (r)
			return r;
		const char *e = s;
		uint32_t hash = 0;
		for (; *e && *e != '/'; e++)
			hash = (hash + (uint8_t)*e) * 0x01000193u;
		size_t len = e - s;
		bool slash = false, last = is_last(nd, e, &slash);
		if (last) {
			nd->trailing |= slash;
			nd->last = (char *)s;
			nd->last_len = len;
			nd->last_hash = hash;
			nd->last_type = s[0] != '.' || len > 2      ? LAST_NORM
			                : len == 1                  ? LAST_DOT
			                : s[1] == '.'               ? LAST_DOTDOT
			                                            : LAST_NORM;
			if (nd->flags & LOOKUP_PARENT) {
				nd->pos = e;
				return len > NAME_MAX_ ? -ENAMETOOLONG : 0;
			}
		}
		nd->pos = e;
		if (s[0] == '.' && len == 1)
			continue;
		if (s[0] == '.' && len == 2 && s[1] == '.')
			r = step_dotdot(nd);
		else if (len > NAME_MAX_)
			r = -ENAMETOOLONG;
		else
			r = step_name(nd, s, len, hash, last, slash);
		if (r < 0)
			return r;
	}
	if (!(nd->flags & LOOKUP_PARENT) && (nd->trailing || (nd->flags & LOOKUP_DIRECTORY)) &&
	    (nd->path.dentry->inode->mode & S_IFMT) != S_IFDIR)
		return -ENOTDIR;
	return 0;
}

int nd_check_result(struct nameidata *nd)
{
	if (!(nd->flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT)) || !nd->start.mnt)
		return 0;
	/* A rename during the walk may have moved us out of the start; see whether it is still above. */
	struct path p = nd->path;
	path_get(&p);
	int r = 0;
	while (p.mnt != nd->start.mnt && p.mnt) {
		struct dentry *root = p.mnt->root;
		dentry_get(root);
		dentry_put(p.dentry);
		p.dentry = root;
		if (!mount_parent_of(&p)) {
			r = -EXDEV;
			break;
		}
	}
	if (r == 0 && !dentry_is_ancestor(nd->start.dentry, p.dentry))
		r = -EXDEV;
	path_put(&p);
	return r;
}

int path_lookup(int dfd, const char *name, uint32_t flags, struct path *out)
{
	struct nameidata nd;
	int r = nd_start(&nd, dfd, name, flags & ~LOOKUP_PARENT);
	if (r == 0)
		r = nd_walk(&nd);
	if (r == 0)
		r = nd_check_result(&nd);
	if (r == 0) {
		*out = nd.path;
		nd.path.mnt = NULL;
	}
	nd_done(&nd);
	return r;
}

int path_lookup_user(int dfd, uva_t name, uint32_t flags, struct path *out)
{
	char *s = flags & LOOKUP_EMPTY ? copy_in_path_maybe_empty(name) : copy_in_path(name);
	if (IS_ERR(s))
		return PTR_ERR(s);
	int r = path_lookup(dfd, s, flags, out);
	kfree(s);
	return r;
}

int path_lookup_parent(int dfd, const char *name, uint32_t flags, struct path *parent, char *last, bool *dir_required)
{
	struct nameidata nd;
	int r = nd_start(&nd, dfd, name, flags | LOOKUP_PARENT);
	if (r == 0)
		r = nd_walk(&nd);
	if (r == 0) {
		memcpy(last, nd.last_type == LAST_ROOT ? "/" : nd.last, nd.last_len);
		last[nd.last_len] = 0;
		*dir_required = nd.trailing;
		*parent = nd.path;
		nd.path.mnt = NULL;
	}
	nd_done(&nd);
	return r;
}

static char *copy_path(uva_t name, bool empty_ok)
{
	char small[256];
	ssize_t_ n = copy_in_string(small, name, sizeof(small));
	if (n >= 0) {
		if (n == 0 && !empty_ok)
			return ERR_PTR(-ENOENT);
		char *s = kmemdup_str(small, n);
		return s ? s : ERR_PTR(-ENOMEM);
	}
	if (n != -ENAMETOOLONG)
		return ERR_PTR((int)n);
	char *s = kmalloc(PATH_MAX_);
	if (!s)
		return ERR_PTR(-ENOMEM);
	n = copy_in_string(s, name, PATH_MAX_);
	if (n < 0) {
		kfree(s);
		return ERR_PTR((int)n);
	}
	return s;
}

char *copy_in_path(uva_t name) { return copy_path(name, false); }
char *copy_in_path_maybe_empty(uva_t name) { return copy_path(name, true); }

static bool prepend(char **p, char *buf, const char *s, size_t n)
{
	if ((size_t)(*p - buf) < n)
		return false;
	*p -= n;
	memcpy(*p, s, n);
	return true;
}

static char *anon_name(struct dentry *d, char *buf, size_t size)
{
	int n;
	if (d->name[0] == '/')
		n = snprintf(buf, size, "%s (deleted)", d->name);
	else if (strchr(d->name, ':'))
		n = snprintf(buf, size, "%s[%lu]", d->name, (unsigned long)d->inode->ino);
	else
		n = snprintf(buf, size, "anon_inode:[%s]", d->name);
	return n >= (int)size ? ERR_PTR(-ENAMETOOLONG) : buf;
}

static char *name_of(const struct path *path, const struct path *root, char *buf, size_t size, bool mark_unreachable)
{
	if ((path->dentry->flags & DENTRY_ANON) && !(path->dentry == path->mnt->root && READ_ONCE(path->mnt->parent)))
		return anon_name(path->dentry, buf, size);
	char *p = buf + size;
	bool ok = prepend(&p, buf, "", 1), unreachable = false;
	if (path->dentry->flags & DENTRY_DELETED)
		ok &= prepend(&p, buf, " (deleted)", 10);
	char *end = p;
	spin_lock(&mount_lock);
	spin_lock(&dcache_tree_lock);
	struct dentry *d = path->dentry;
	struct mount *m = path->mnt;
	while (ok && !(d == root->dentry && m == root->mnt)) {
		if (d == m->root || d->parent == d) {
			if (!m->parent || d != m->root) {
				unreachable = true; /* detached, or outside a chroot */
				break;
			}
			d = m->mountpoint;
			m = m->parent;
			continue;
		}
		ok = prepend(&p, buf, d->name, d->name_len) && prepend(&p, buf, "/", 1);
		d = d->parent;
	}
	spin_unlock(&dcache_tree_lock);
	spin_unlock(&mount_lock);
	if (ok && p == end)
		ok = prepend(&p, buf, "/", 1);
	if (ok && unreachable && mark_unreachable)
		ok = prepend(&p, buf, "(unreachable)", 13);
	return ok ? p : ERR_PTR(-ENAMETOOLONG);
}

static char *name_here(const struct path *path, char *buf, size_t size, bool mark_unreachable)
{
	struct path root;

	fs_get_root(&root);
	char *name = name_of(path, &root, buf, size, mark_unreachable);
	path_put(&root);
	return name;
}

char *path_name(const struct path *path, char *buf, size_t size)
{
	return name_here(path, buf, size, true);
}

char *path_name_unmarked(const struct path *path, char *buf, size_t size)
{
	return name_here(path, buf, size, false);
}

char *path_name_from(const struct path *path, const struct path *root, char *buf, size_t size)
{
	return name_of(path, root, buf, size, true);
}
