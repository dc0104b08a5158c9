// SPDX-License-Identifier: Apache-2.0
/*
 * /dev/pts: ptmx and one node per pseudo-terminal in use. All mounts show the same instance. Options as mount(8):
 * uid, gid, mode, ptmxmode; "max" and "newinstance" are accepted and mean nothing here. Since the instance is everybody's,
 * those of a mount in a less privileged user namespace are checked, and have no effect.
 *
 * Names are never cached: a lookup asks pty.c whether the number is in use.
 */
#include "fs/tty/tty.h"

#include <linux/mount.h>

#include "fs/dev/chrdev.h"
#include "fs/dirent.h"
#include "lib/string.h"
#include "task/task.h"
#include "task/user_ns.h"

#define DEVPTS_MAGIC 0x1cd1
#define PTMX_INO 2
#define FIRST_INO 3

static struct {
	struct mutex mount_lock; /* mounts, one at a time: all below */
	struct super_block *sb;  /* set at the first mount, never freed */
	struct inode *ptmx;      /* there with sb */
	struct options {
		uint32_t mode, ptmxmode, uid, gid;
		bool have_uid, have_gid;
	} options;
} devpts = {.mount_lock = MUTEX_INIT(devpts.mount_lock), .options.mode = 0600};

static struct inode *new_inode(struct super_block *sb, uint32_t mode, uint64_t ino, uint64_t rdev)
{
	struct inode *inode = inode_alloc(sb);
	if (!inode)
		return NULL;
	inode->ino = ino;
	inode->mode = mode;
	inode->rdev = rdev;
	inode->nlink = 1;
	inode_touch(inode, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	inode->btime = inode->ctime;
	return inode;
}

static int devpts_setattr(struct inode *inode, struct iattr *attr)
{
	if (attr->valid & ATTR_SIZE)
		return S_ISDIR(inode->mode) ? -EISDIR : 0;
	if (attr->valid & ATTR_MODE)
		inode->mode = (inode->mode & S_IFMT) | (attr->mode & 07777);
	if (attr->valid & ATTR_UID)
		inode->uid = attr->uid;
	if (attr->valid & ATTR_GID)
		inode->gid = attr->gid;
	if (attr->valid & ATTR_ATIME)
		inode->atime = attr->atime;
	if (attr->valid & ATTR_MTIME)
		inode->mtime = attr->mtime;
	inode_touch(inode, ATTR_CTIME);
	return 0;
}

static const struct inode_ops node_iops = {.setattr = devpts_setattr};

struct inode *devpts_new_inode(uint32_t index)
{
	const struct cred *c = current->cred;
	struct super_block *sb = atomic_load(&devpts.sb);
	if (!sb) {
		/* Terminals without a mounted devpts: the slave has no name, only TIOCGPTN's number. */
		struct inode *anon = inode_anon(S_IFCHR | 0600);
		if (anon)
			anon->rdev = MKDEV(PTY_SLAVE_MAJOR, index);
		return anon;
	}
	struct inode *inode = new_inode(sb, S_IFCHR | devpts.options.mode, FIRST_INO + index, MKDEV(PTY_SLAVE_MAJOR, index));
	if (!inode)
		return NULL;
	inode->ops = &node_iops;
	inode->uid = devpts.options.have_uid ? devpts.options.uid : c->fsuid;
	inode->gid = devpts.options.have_gid ? devpts.options.gid : c->fsgid;
	return inode;
}

/* ---- directory ---- */
static bool parse_index(const char *name, uint32_t len, uint32_t *out)
{
	uint32_t v = 0;
	if (!len || len > 6 || (name[0] == '0' && len > 1))
		return false;
	for (uint32_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		v = v * 10 + (name[i] - '0');
	}
	*out = v;
	return true;
}

static int devpts_lookup(struct inode *dir, struct dentry *dentry)
{
	uint32_t index;
	dentry->flags |= DENTRY_NO_CACHE;
	if (dentry->name_len == 4 && !memcmp(dentry->name, "ptmx", 4)) {
		inode_get(devpts.ptmx);
		dentry_instantiate(dentry, devpts.ptmx);
		return 0;
	}
	struct tty *t = parse_index(dentry->name, dentry->name_len, &index) ? pty_find(index) : NULL;
	if (!t)
		return 0;
	if (t->inode && t->master_open && t->inode->sb == devpts.sb) {
		inode_get(t->inode);
		dentry_instantiate(dentry, t->inode);
	}
	tty_put(t);
	return 0;
}

static int devpts_readdir(struct file *file, struct dir_context *ctx)
{
	char name[16];
	if (ctx->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, file->inode->ino, DT_DIR, 1))
			return 0;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		if (!ctx->emit(ctx, "..", 2, file->inode->ino, DT_DIR, 2))
			return 0;
		ctx->pos = 2;
	}
	if (ctx->pos == 2) {
		if (!ctx->emit(ctx, "ptmx", 4, PTMX_INO, DT_CHR, 3))
			return 0;
		ctx->pos = 3;
	}
	/* From position 3 on: the number plus three. */
	for (;;) {
		uint32_t i = ctx->pos - 3 < PTY_MAX ? pty_next((uint32_t)ctx->pos - 3) : UINT32_MAX;
		if (i == UINT32_MAX)
			return 0;
		int len = snprintf(name, sizeof(name), "%u", i);
		if (!ctx->emit(ctx, name, len, FIRST_INO + i, DT_CHR, (uint64_t)i + 4))
			return 0;
		ctx->pos = (uint64_t)i + 4;
	}
}

static const struct inode_ops dir_iops = {.lookup = devpts_lookup, .setattr = devpts_setattr};
static const struct file_ops dir_fops = {.readdir = devpts_readdir};

/* Names of terminals that are gone must not be found; those that exist are looked up once more. */
static int devpts_revalidate(struct dentry *dentry)
{
	uint32_t index;
	if (dentry->parent == dentry || !dentry->inode)
		return dentry->parent == dentry;
	if (dentry->inode == devpts.ptmx)
		return 1;
	struct tty *t = parse_index(dentry->name, dentry->name_len, &index) ? pty_find(index) : NULL;
	int ok = t && t->inode == dentry->inode && t->master_open;
	tty_put(t);
	return ok;
}

bool devpts_path(uint32_t index, struct path *out)
{
	char name[16];
	struct mount *m, *found = NULL;
	spin_lock(&mount_lock);
	list_for_each_entry(m, &current->nsproxy->mnt->mounts, link) {
		if (m->sb == devpts.sb && devpts.sb) {
			found = m;
			mount_get(m);
			break;
		}
	}
	spin_unlock(&mount_lock);
	if (!found)
		return false;
	int len = snprintf(name, sizeof(name), "%u", index);
	struct dentry *d = dentry_lookup(found->root, name, len);
	if (IS_ERR(d) || !d->inode) {
		if (!IS_ERR(d))
			dentry_put(d);
		mount_put(found);
		return false;
	}
	*out = (struct path){found, d};
	return true;
}

/* ---- mounting ---- */
static int devpts_show_options(struct super_block *sb, char *buf, size_t size)
{
	int n = 0;
	buf[0] = 0;
	if (devpts.options.have_gid)
		n = snprintf(buf, size, ",gid=%u", devpts.options.gid);
	if ((size_t)n < size)
		n += snprintf(buf + n, size - n, ",mode=%03o,ptmxmode=%03o", devpts.options.mode, devpts.ptmx->mode & 07777);
	return n;
}

static const struct super_ops devpts_super_ops = {
	.revalidate = devpts_revalidate,
	.show_options = devpts_show_options,
};

static int parse_octal(const char *s, uint32_t *out)
{
	uint32_t v = 0;
	for (; *s >= '0' && *s <= '7' && v <= 07777; s++)
		v = v * 8 + (*s - '0');
	*out = v;
	return *s ? -EINVAL : 0;
}

static int set_option(struct options *o, const char *name, const char *value)
{
	uint64_t n;
	if (!strcmp(name, "mode"))
		return parse_octal(value, &o->mode);
	if (!strcmp(name, "ptmxmode"))
		return parse_octal(value, &o->ptmxmode);
	if (!strcmp(name, "max") || !strcmp(name, "newinstance"))
		return 0;
	bool uid = !strcmp(name, "uid");
	if (!uid && strcmp(name, "gid"))
		return -EINVAL;
	if (parse_u64(value, 10, &n) || n > UINT32_MAX)
		return -EINVAL;
	n = uid ? kuid_in((uint32_t)n) : kgid_in((uint32_t)n);
	if (n == NO_ID)
		return -EINVAL;
	if (uid) {
		o->uid = (uint32_t)n;
		o->have_uid = true;
	} else {
		o->gid = (uint32_t)n;
		o->have_gid = true;
	}
	return 0;
}

static int parse_options(struct options *o, const char *data)
{
	char *copy = kstrdup(data ? data : "");
	int r = 0;
	if (!copy)
		return -ENOMEM;
	for (char *p = copy; p && *p && !r;) {
		char *next = strchr(p, ',');
		if (next)
			*next++ = 0;
		char *value = strchr(p, '=');
		if (value)
			*value++ = 0;
		if (*p)
			r = set_option(o, p, value ? value : "");
		p = next;
	}
	kfree(copy);
	return r;
}

static int create_instance(const struct fs_type *type)
{
	struct super_block *sb = super_alloc(type, &devpts_super_ops, DEVPTS_MAGIC);
	if (!sb)
		return -ENOMEM;
	sb->blocksize = 1024;
	struct inode *root = new_inode(sb, S_IFDIR | 0755, 1, 0);
	struct inode *ptmx = new_inode(sb, S_IFCHR, PTMX_INO, MKDEV(TTYAUX_MAJOR, 2));
	if (root && ptmx) {
		root->nlink = 2;
		root->ops = &dir_iops;
		root->fops = &dir_fops;
		ptmx->ops = &node_iops;
		sb->root = dentry_make_root(root);
	}
	if (!sb->root) {
		inode_put(root);
		inode_put(ptmx);
		super_put(sb);
		return -ENOMEM;
	}
	devpts.ptmx = ptmx;
	atomic_store(&devpts.sb, sb);
	return 0;
}

static struct super_block *devpts_mount(const struct fs_type *type, const char *source, const char *data,
                                        uint32_t flags)
{
	mutex_lock(&devpts.mount_lock);
	struct options wanted = devpts.options;
	int r = parse_options(&wanted, data);
	if (!r && !devpts.sb)
		r = create_instance(type);
	if (!r && capable(CAP_SYS_ADMIN)) {
		devpts.options = wanted;
		devpts.ptmx->mode = S_IFCHR | wanted.ptmxmode;
	}
	if (!r)
		super_get(devpts.sb);
	mutex_unlock(&devpts.mount_lock);
	return r ? ERR_PTR(r) : devpts.sb;
}

const struct fs_type devpts_type = {.name = "devpts", .nodev = true, .owner = ns_owner_current,
	.mount = devpts_mount};
