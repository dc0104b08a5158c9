// SPDX-License-Identifier: Apache-2.0
/*
 * Mounting by descriptors: fsopen(2), fsconfig(2), fsmount(2), fspick(2), open_tree(2), move_mount(2),
 * mount_setattr(2).
 *
 * A context collects a source, flags and an options text; the file system sees them all at once when the super block is
 * made, so a wrong option is refused there and not by the fsconfig(2) that names it. Parameters are flags and strings.
 * A mount that is not attached anywhere is the root of a tree of its own, which falls apart when its descriptor is
 * closed. Idmapped mounts are refused.
 */
#include <linux/mount.h>

#include "fs/mount.h"
#include "fs/namei.h"
#include "lib/string.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_ns.h"

#define OPTIONS_MAX 4096u
#define ATTR_ALL (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR__ATIME | \
                  MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW)
#define MS_ATIMES (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)
#define AT_RECURSIVE_ 0x8000u

enum context_state { CONTEXT_NEW, CONTEXT_CREATED, CONTEXT_MOUNTED, CONTEXT_FAILED };

struct fs_ctx {
	struct mutex lock;          /* everything below but type */
	const struct fs_type *type; /* immutable */
	enum context_state state;
	struct super_block *sb;     /* a reference, from CONTEXT_CREATED on */
	char *source;
	uint32_t flags;             /* MS_* of the super block */
	size_t len;
	char options[OPTIONS_MAX];  /* as mount(2) takes them */
};

static void ctx_release(struct file *f)
{
	struct fs_ctx *c = f->private;
	if (c->sb)
		super_put(c->sb);
	kfree(c->source);
	kfree(c);
}

/* The log of messages, which is always empty. */
static ssize_t_ ctx_read(struct file *f, struct iter *to, uint64_t *pos)
{
	return -ENODATA;
}

static const struct file_ops ctx_ops = {.release = ctx_release, .read = ctx_read, .no_seek = true};

static int64_t ctx_publish(struct fs_ctx *c, bool cloexec)
{
	struct file *f = file_anon("fscontext", &ctx_ops, c, O_RDWR);
	if (!f) {
		kfree(c);
		return -ENOMEM;
	}
	return fd_publish(f, cloexec);
}

static struct fs_ctx *ctx_alloc(const struct fs_type *type)
{
	struct fs_ctx *c = kzalloc(sizeof(*c));
	if (c) {
		mutex_init(&c->lock);
		c->type = type;
	}
	return c;
}

int64_t sys_fsopen(const struct sysargs *a)
{
	uint32_t flags = arg_u32(a, 1);
	char name[64];
	if (!may_mount())
		return -EPERM;
	if (flags & ~(uint32_t)FSOPEN_CLOEXEC)
		return -EINVAL;
	ssize_t_ n = copy_in_string(name, arg_uva(a, 0), sizeof(name));
	if (n < 0)
		return n == -ENAMETOOLONG ? -ENODEV : n;
	const struct fs_type *type = fs_type_find(name);
	if (!type || !type->mount)
		return -ENODEV;
	if (!may_create_super(type))
		return -EPERM;
	struct fs_ctx *c = ctx_alloc(type);
	return c ? ctx_publish(c, flags & FSOPEN_CLOEXEC) : -ENOMEM;
}

int64_t sys_fspick(const struct sysargs *a)
{
	uint32_t flags = arg_u32(a, 2);
	struct path p;
	if (!may_mount())
		return -EPERM;
	if (flags & ~(uint32_t)(FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT | FSPICK_EMPTY_PATH))
		return -EINVAL;
	int r = path_lookup_user(arg_int(a, 0), arg_uva(a, 1),
	                         (flags & FSPICK_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
	                             (flags & FSPICK_EMPTY_PATH ? LOOKUP_EMPTY : 0),
	                         &p);
	if (r)
		return r;
	struct fs_ctx *c = p.dentry == p.mnt->root ? ctx_alloc(p.mnt->sb->type) : ERR_PTR(-EINVAL);
	if (c && !IS_ERR(c)) {
		super_get(p.mnt->sb);
		c->sb = p.mnt->sb;
		c->flags = c->sb->flags;
		c->state = CONTEXT_MOUNTED;
	}
	path_put(&p);
	if (IS_ERR(c))
		return PTR_ERR(c);
	return c ? ctx_publish(c, flags & FSPICK_CLOEXEC) : -ENOMEM;
}

/* ---- fsconfig ---- */
static int add_option(struct fs_ctx *c, const char *key, const char *value)
{
	size_t k = strlen(key), v = value ? strlen(value) + 1 : 0, comma = c->len ? 1 : 0;
	/* the text could not be taken apart again */
	if (!k || strchr(key, ',') || (value && strchr(value, ',')) || c->len + comma + k + v >= OPTIONS_MAX)
		return -EINVAL;
	c->len += snprintf(c->options + c->len, OPTIONS_MAX - c->len, "%s%s%s%s", comma ? "," : "", key, value ? "=" : "",
	                   value ? value : "");
	return 0;
}

static int set_flag(struct fs_ctx *c, const char *key)
{
	static const struct {
		const char *name;
		uint32_t set, clear;
	} known[] = {{"ro", MS_RDONLY, 0},      {"rw", 0, MS_RDONLY},      {"sync", MS_SYNCHRONOUS, 0}, {"async", 0, MS_SYNCHRONOUS},
	             {"lazytime", MS_LAZYTIME, 0}, {"nolazytime", 0, MS_LAZYTIME}, {"dirsync", MS_DIRSYNC, 0}, {"silent", 0, 0}};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strcmp(known[i].name, key)) {
			c->flags = (c->flags & ~known[i].clear) | known[i].set;
			return 0;
		}
	}
	return add_option(c, key, NULL);
}

static int set_string(struct fs_ctx *c, const char *key, char **value)
{
	if (strcmp(key, "source"))
		return add_option(c, key, *value);
	if (c->source)
		return -EINVAL;
	c->source = *value;
	*value = NULL;
	return 0;
}

/* Again, as the context may have been handed to somebody else since fsopen(2). */
static int create(struct fs_ctx *c)
{
	if (!may_create_super(c->type))
		return -EPERM;
	struct super_block *sb = c->type->mount(c->type, c->source, c->options, c->flags & MS_RDONLY);
	c->len = 0;
	c->options[0] = 0;
	if (IS_ERR(sb)) {
		c->state = CONTEXT_FAILED;
		return PTR_ERR(sb);
	}
	c->sb = sb;
	c->state = CONTEXT_CREATED;
	return 0;
}

/* The file system belongs to whoever mounted it. */
static int reconfigure(struct fs_ctx *c)
{
	int r = ns_capable(c->sb->user_ns, CAP_SYS_ADMIN) ? super_remount(c->sb, c->flags, c->options) : -EPERM;
	c->len = 0;
	c->options[0] = 0;
	return r;
}

static int configure(struct fs_ctx *c, uint32_t cmd, const char *key, char **value)
{
	if (c->state == CONTEXT_FAILED)
		return -EBUSY;
	switch (cmd) {
	case FSCONFIG_CMD_CREATE:
		return c->state == CONTEXT_NEW ? create(c) : -EBUSY;
	case FSCONFIG_CMD_RECONFIGURE:
		return c->state == CONTEXT_MOUNTED ? reconfigure(c) : -EBUSY;
	case FSCONFIG_SET_FLAG:
		return c->state == CONTEXT_CREATED ? -EBUSY : set_flag(c, key);
	default:
		return c->state == CONTEXT_CREATED ? -EBUSY : set_string(c, key, value);
	}
}

/* Which of key, value and aux a command takes: -EINVAL for others, -EOPNOTSUPP for commands that do not exist. */
static int check_config(uint32_t cmd, uva_t key, uva_t value, int aux)
{
	switch (cmd) {
	case FSCONFIG_SET_FLAG:
		return !key.v || value.v || aux ? -EINVAL : 0;
	case FSCONFIG_SET_STRING:
		return !key.v || !value.v || aux ? -EINVAL : 0;
	case FSCONFIG_SET_BINARY:
	case FSCONFIG_SET_PATH:
	case FSCONFIG_SET_PATH_EMPTY:
	case FSCONFIG_SET_FD:
		return -EINVAL; /* no file system here has such a parameter */
	case FSCONFIG_CMD_CREATE:
	case FSCONFIG_CMD_RECONFIGURE:
		return key.v || value.v || aux ? -EINVAL : 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int copy_value(uva_t u, char **out)
{
	*out = NULL;
	if (!u.v)
		return 0;
	char *s = kmalloc(256);
	if (!s)
		return -ENOMEM;
	ssize_t_ n = copy_in_string(s, u, 256);
	if (n < 0) {
		kfree(s);
		return n == -ENAMETOOLONG ? -EINVAL : (int)n;
	}
	*out = s;
	return 0;
}

int64_t sys_fsconfig(const struct sysargs *a)
{
	int fd = arg_int(a, 0);
	uint32_t cmd = arg_u32(a, 1);
	char *key = NULL, *value = NULL;
	if (fd < 0)
		return -EINVAL;
	int r = check_config(cmd, arg_uva(a, 2), arg_uva(a, 3), arg_int(a, 4));
	if (r)
		return r;
	struct fdref f = fdref_get(fd);
	if (!f.file)
		return -EBADF;
	r = f.file->ops == &ctx_ops ? 0 : -EINVAL;
	if (r == 0)
		r = copy_value(arg_uva(a, 2), &key);
	if (r == 0)
		r = copy_value(arg_uva(a, 3), &value);
	if (r == 0 && !may_mount() && cmd >= FSCONFIG_CMD_CREATE)
		r = -EPERM;
	if (r == 0) {
		struct fs_ctx *c = f.file->private;
		mutex_lock(&c->lock);
		r = configure(c, cmd, key, &value);
		mutex_unlock(&c->lock);
	}
	kfree(key);
	kfree(value);
	fdref_put(f);
	return r;
}

/* ---- descriptors of mounts ---- */
/* An O_PATH file of m's root; m is the root of a tree of its own, which ends with the file. */
static int64_t publish_tree(struct mount *m, bool cloexec)
{
	struct path p = {m, m->root};
	struct file *f = file_new(&p, O_PATH);
	if (!f) {
		mount_dissolve(m);
		return -ENOMEM;
	}
	f->ops = NULL;
	f->mode = FMODE_PATH | FMODE_TREE;
	return fd_publish(f, cloexec);
}

static uint32_t attr_flags(uint64_t attr)
{
	uint32_t f = 0;
	f |= attr & MOUNT_ATTR_RDONLY ? MS_RDONLY : 0;
	f |= attr & MOUNT_ATTR_NOSUID ? MS_NOSUID : 0;
	f |= attr & MOUNT_ATTR_NODEV ? MS_NODEV : 0;
	f |= attr & MOUNT_ATTR_NOEXEC ? MS_NOEXEC : 0;
	f |= attr & MOUNT_ATTR_NODIRATIME ? MS_NODIRATIME : 0;
	f |= attr & MOUNT_ATTR_NOSYMFOLLOW ? MS_NOSYMFOLLOW : 0;
	return f;
}

/* The atime part; 0: not one of the three. */
static uint32_t atime_flags(uint64_t attr)
{
	switch (attr & MOUNT_ATTR__ATIME) {
	case MOUNT_ATTR_RELATIME:
		return MS_RELATIME;
	case MOUNT_ATTR_NOATIME:
		return MS_NOATIME;
	case MOUNT_ATTR_STRICTATIME:
		return MS_STRICTATIME;
	default:
		return 0;
	}
}

int64_t sys_fsmount(const struct sysargs *a)
{
	uint32_t flags = arg_u32(a, 1), attr = arg_u32(a, 2);
	if (!may_mount())
		return -EPERM;
	if ((flags & ~(uint32_t)FSMOUNT_CLOEXEC) || (attr & ~(uint32_t)ATTR_ALL) || !atime_flags(attr))
		return -EINVAL;
	struct fdref f = fdref_get(arg_int(a, 0));
	if (!f.file)
		return -EBADF;
	struct mount *m = ERR_PTR(-EINVAL);
	if (f.file->ops == &ctx_ops) {
		struct fs_ctx *c = f.file->private;
		mutex_lock(&c->lock);
		if (c->sb && c->state != CONTEXT_CREATED) {
			m = ERR_PTR(-EBUSY);
		} else if (c->sb && mount_type_allowed(c->type, attr_flags(attr))) {
			m = ERR_PTR(-EPERM);
		} else if (c->sb) {
			super_get(c->sb);
			m = mount_alloc_tree(c->sb, c->sb->root, attr_flags(attr) | atime_flags(attr), c->source);
			if (!IS_ERR(m))
				c->state = CONTEXT_MOUNTED;
		}
		mutex_unlock(&c->lock);
	}
	fdref_put(f);
	return IS_ERR(m) ? PTR_ERR(m) : publish_tree(m, flags & FSMOUNT_CLOEXEC);
}

int64_t sys_open_tree(const struct sysargs *a)
{
	uint32_t flags = arg_u32(a, 2);
	struct path p;
	if (flags & ~(uint32_t)(AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE_ | AT_SYMLINK_NOFOLLOW | OPEN_TREE_CLONE |
	                        OPEN_TREE_CLOEXEC))
		return -EINVAL;
	if ((flags & AT_RECURSIVE_) && !(flags & OPEN_TREE_CLONE))
		return -EINVAL;
	if ((flags & OPEN_TREE_CLONE) && !may_mount())
		return -EPERM;
	int64_t r = path_lookup_user(arg_int(a, 0), arg_uva(a, 1),
	                             (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
	                                 (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0),
	                             &p);
	if (r)
		return r;
	if (flags & OPEN_TREE_CLONE) {
		struct mount *m = mount_clone_tree(&p, flags & AT_RECURSIVE_);
		r = IS_ERR(m) ? PTR_ERR(m) : publish_tree(m, flags & OPEN_TREE_CLOEXEC);
	} else {
		struct file *f = vfs_open_path(&p, O_PATH);
		r = IS_ERR(f) ? PTR_ERR(f) : fd_publish(f, flags & OPEN_TREE_CLOEXEC);
	}
	path_put(&p);
	return r;
}

int64_t sys_move_mount(const struct sysargs *a)
{
	uint32_t flags = arg_u32(a, 4);
	struct path from, to;
	if (!may_mount())
		return -EPERM;
	if (flags & ~(uint32_t)MOVE_MOUNT__MASK)
		return -EINVAL;
	if (flags & MOVE_MOUNT_SET_GROUP)
		return -EINVAL; /* as kernels before 5.15 */
	int r = path_lookup_user(arg_int(a, 0), arg_uva(a, 1),
	                         (flags & MOVE_MOUNT_F_SYMLINKS ? LOOKUP_FOLLOW : 0) |
	                             (flags & MOVE_MOUNT_F_EMPTY_PATH ? LOOKUP_EMPTY : 0),
	                         &from);
	if (r)
		return r;
	r = path_lookup_user(arg_int(a, 2), arg_uva(a, 3),
	                     (flags & MOVE_MOUNT_T_SYMLINKS ? LOOKUP_FOLLOW : 0) |
	                         (flags & MOVE_MOUNT_T_EMPTY_PATH ? LOOKUP_EMPTY : 0),
	                     &to);
	if (r == 0) {
		r = mount_move(&from, &to);
		path_put(&to);
	}
	path_put(&from);
	return r;
}

/* ---- mount_setattr ---- */
static int check_attr(const struct mount_attr *m)
{
	uint64_t prop = m->propagation;
	if ((m->attr_set | m->attr_clr) & ~(uint64_t)ATTR_ALL)
		return -EINVAL;
	if ((prop & ~(uint64_t)(MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)) || (prop & (prop - 1)))
		return -EINVAL;
	/* the kinds of atime exclude each other: the old one must be cleared as a whole */
	if (m->attr_clr & MOUNT_ATTR__ATIME)
		return (m->attr_clr & MOUNT_ATTR__ATIME) == MOUNT_ATTR__ATIME && atime_flags(m->attr_set) ? 0 : -EINVAL;
	return m->attr_set & MOUNT_ATTR__ATIME ? -EINVAL : 0;
}

int64_t sys_mount_setattr(const struct sysargs *a)
{
	uint32_t flags = arg_u32(a, 2);
	uint64_t size = arg_u64(a, 4);
	struct mount_attr attr;
	struct path p;
	if (flags & ~(uint32_t)(AT_EMPTY_PATH | AT_RECURSIVE_ | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < MOUNT_ATTR_SIZE_VER0)
		return -EINVAL;
	if (!may_mount())
		return -EPERM;
	int r = copy_in(&attr, arg_uva(a, 3), sizeof(attr));
	if (r)
		return r;
	for (uint64_t off = sizeof(attr); off < size; off++) {
		uint8_t byte;
		if (copy_in(&byte, uva_add(arg_uva(a, 3), off), 1))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	if (!attr.attr_set && !attr.attr_clr && !attr.propagation)
		return 0;
	r = check_attr(&attr);
	if (r)
		return r;
	r = path_lookup_user(arg_int(a, 0), arg_uva(a, 1),
	                     (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0), &p);
	if (r)
		return r;
	uint32_t set = attr_flags(attr.attr_set), clear = attr_flags(attr.attr_clr);
	if (attr.attr_clr & MOUNT_ATTR__ATIME) {
		clear |= MS_ATIMES;
		set |= atime_flags(attr.attr_set);
	}
	r = mount_change(&p, set, clear, attr.propagation, flags & AT_RECURSIVE_);
	path_put(&p);
	return r;
}
