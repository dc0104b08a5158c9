// SPDX-License-Identifier: Apache-2.0
/*
 * tmpfs(5): super block, options, inodes. Contents of files: tmpfs_file.c; of directories: tmpfs_dir.c; extended
 * attributes: tmpfs_xattr.c.
 *
 * Without size= the limit is half of the memory that the container may use, as on Linux; 0 means no limit.
 */
#include "fs/tmpfs.h"

#include <linux/mount.h>

#include "fs/namei.h"
#include "fs/posix_acl.h"
#include "lib/log.h"
#include "lib/string.h"
#include "task/task.h"
#include "task/user_ns.h"

static struct super_block *shm_sb; /* memfd, System V shared memory */

int tmpfs_charge(struct tmpfs_sb *ts, uint64_t bytes)
{
	spin_lock(&ts->lock);
	bool fits = !ts->max_inodes || ts->used_space + bytes <= ts->max_inodes * TMPFS_INODE_SPACE;
	if (fits)
		ts->used_space += bytes;
	spin_unlock(&ts->lock);
	return fits ? 0 : -ENOSPC;
}

void tmpfs_uncharge(struct tmpfs_sb *ts, uint64_t bytes)
{
	spin_lock(&ts->lock);
	ts->used_space -= bytes;
	spin_unlock(&ts->lock);
}

struct inode *tmpfs_inode(struct super_block *sb, struct inode *dir, uint32_t mode, uint64_t rdev)
{
	struct tmpfs_sb *ts = sb->private;
	struct tmpfs_node *n = kzalloc(sizeof(*n));
	if (!n)
		return ERR_PTR(-ENOMEM);
	int r = tmpfs_charge(ts, TMPFS_INODE_SPACE);
	struct inode *i = r ? NULL : inode_alloc(sb);
	if (!i) {
		kfree(n);
		if (!r)
			tmpfs_uncharge(ts, TMPFS_INODE_SPACE);
		return ERR_PTR(r ? r : -ENOMEM);
	}
	list_init(&n->xattrs);
	i->private = n;
	i->ino = ino_alloc();
	i->rdev = rdev;
	inode_init_owner(i, dir, mode);
	i->seals = 1; /* F_SEAL_SEAL: only memfd_create makes sealable files */
	switch (mode & S_IFMT) {
	case S_IFDIR:
		ram_dir_init(&n->dir);
		i->nlink = 2;
		i->size = 2 * TMPFS_ENTRY_SIZE;
		i->ops = &tmpfs_dir_ops;
		i->fops = &tmpfs_dir_fops;
		break;
	case S_IFLNK:
		i->ops = &tmpfs_link_ops;
		break;
	case S_IFREG:
		i->ops = &tmpfs_file_ops_inode;
		i->fops = &tmpfs_file_ops;
		break;
	default:
		i->ops = &tmpfs_file_ops_inode;
		break;
	}
	r = dir ? acl_inherit(i, dir) : 0;
	if (r) {
		inode_put(i);
		return ERR_PTR(r);
	}
	return i;
}

/* A directory that dies with entries (its file system was unmounted) would recurse through the tree; instead the
 * outermost call works off a list. */
static void drain(struct inode *dir)
{
	struct tmpfs_sb *ts = tmpfs_sb(dir);
	struct list_node mine;
	list_init(&mine);
	ram_dir_take_all(&tmpfs_node(dir)->dir, &mine);
	spin_lock(&ts->lock);
	while (!list_empty(&mine))
		list_move_tail(mine.next, &ts->doomed);
	bool outer = !ts->draining;
	ts->draining = true;
	while (outer && !list_empty(&ts->doomed)) {
		struct ram_entry *e = list_first(&ts->doomed, struct ram_entry, link);
		list_del(&e->link);
		spin_unlock(&ts->lock);
		inode_put(e->inode);
		kfree(e);
		spin_lock(&ts->lock);
	}
	if (outer)
		ts->draining = false;
	spin_unlock(&ts->lock);
}

static void tmpfs_evict(struct inode *i)
{
	struct tmpfs_sb *ts = tmpfs_sb(i);
	struct tmpfs_node *n = tmpfs_node(i);
	if ((i->mode & S_IFMT) == S_IFDIR && n->dir.count)
		drain(i);
	tmpfs_xattr_free(i);
	kfree(i->link);
	spin_lock(&ts->lock);
	ts->used_space -= TMPFS_INODE_SPACE;
	ts->used_blocks -= n->charged;
	spin_unlock(&ts->lock);
	kfree(n);
}

static void tmpfs_put_super(struct super_block *sb) { kfree(sb->private); }

static int tmpfs_statfs(struct super_block *sb, struct hc_statfs *st)
{
	struct tmpfs_sb *ts = sb->private;
	spin_lock(&ts->lock);
	st->blocks = ts->max_blocks;
	st->bfree = st->bavail = ts->max_blocks > ts->used_blocks ? ts->max_blocks - ts->used_blocks : 0;
	st->files = ts->max_inodes;
	st->ffree = ts->max_inodes ? ts->max_inodes - ROUND_UP(ts->used_space, TMPFS_INODE_SPACE) / TMPFS_INODE_SPACE : 0;
	spin_unlock(&ts->lock);
	return 0;
}

static int tmpfs_show_options(struct super_block *sb, char *buf, size_t size)
{
	struct tmpfs_sb *ts = sb->private;
	int n = 0;
	buf[0] = 0;
	if (ts->max_blocks)
		n += snprintf(buf + n, size - n, ",size=%luk", (unsigned long)(ts->max_blocks << (PAGE_SHIFT - 10)));
	if (ts->max_inodes && n < (int)size)
		n += snprintf(buf + n, size - n, ",nr_inodes=%lu", (unsigned long)ts->max_inodes);
	if (ts->mode != 01777 && n < (int)size)
		n += snprintf(buf + n, size - n, ",mode=%03o", ts->mode);
	if (ts->uid && n < (int)size)
		n += snprintf(buf + n, size - n, ",uid=%u", ts->uid);
	if (ts->gid && n < (int)size)
		n += snprintf(buf + n, size - n, ",gid=%u", ts->gid);
	return n;
}

static int tmpfs_remount(struct super_block *sb, const char *data);

static const struct super_ops tmpfs_super_ops = {
	.remount = tmpfs_remount,
	.evict_inode = tmpfs_evict,
	.statfs = tmpfs_statfs,
	.put_super = tmpfs_put_super,
	.show_options = tmpfs_show_options,
};

/* Digits in a base, then an optional k, m, g or (with of != 0) %. */
static int parse_size(const char *s, uint64_t of, uint64_t *out)
{
	char digits[24];
	size_t n = 0;
	while (s[n] >= '0' && s[n] <= '9' && n < sizeof(digits) - 1) {
		digits[n] = s[n];
		n++;
	}
	digits[n] = 0;
	int r = parse_u64(digits, 10, out);
	if (r)
		return -EINVAL;
	unsigned shift = 0;
	switch (s[n]) {
	case 'g': case 'G':
		shift += 10; /* fall through */
	case 'm': case 'M':
		shift += 10; /* fall through */
	case 'k': case 'K':
		shift += 10;
		n++;
		break;
	case '%':
		if (!of || *out > 100)
			return -EINVAL;
		*out = of / 100 * *out;
		n++;
		break;
	}
	if (s[n] || *out > (UINT64_MAX >> shift))
		return -EINVAL;
	*out <<= shift;
	return 0;
}

static uint64_t memory_pages(void)
{
	struct page_stats st;
	page_stats(&st);
	return st.limit;
}

static bool is_option(const char *opt, const char *name) { return strcmp(opt, name) == 0; }

static int parse_option(struct tmpfs_sb *ts, char *opt)
{
	char *val = strchr(opt, '=');
	uint64_t v = 0;
	int r;
	if (!*opt || is_option(opt, "inode64") || is_option(opt, "inode32") || is_option(opt, "noswap"))
		return 0;
	if (!val)
		return -EINVAL;
	*val++ = 0;
	if (is_option(opt, "size")) {
		r = parse_size(val, memory_pages() * PAGE_SIZE, &v);
		ts->max_blocks = (v + PAGE_SIZE - 1) >> PAGE_SHIFT;
	} else if (is_option(opt, "nr_blocks")) {
		r = parse_size(val, 0, &v);
		ts->max_blocks = v;
	} else if (is_option(opt, "nr_inodes")) {
		r = parse_size(val, 0, &v);
		ts->max_inodes = v;
		r = r ? r : v > UINT64_MAX / TMPFS_INODE_SPACE ? -EINVAL : 0;
	} else if (is_option(opt, "mode")) {
		r = parse_u64(val, 8, &v);
		ts->mode = v & 07777;
	} else if (is_option(opt, "uid")) {
		r = parse_u64(val, 10, &v);
		ts->uid = kuid_in((uint32_t)v);
		r = r ? r : ts->uid == NO_ID ? -EINVAL : 0;
	} else if (is_option(opt, "gid")) {
		r = parse_u64(val, 10, &v);
		ts->gid = kgid_in((uint32_t)v);
		r = r ? r : ts->gid == NO_ID ? -EINVAL : 0;
	} else if (is_option(opt, "huge") || is_option(opt, "mpol")) {
		r = 0; /* hints */
	} else {
		r = -EINVAL;
	}
	return r ? -EINVAL : 0;
}

static int parse_options(struct tmpfs_sb *ts, const char *data)
{
	if (!data || !*data)
		return 0;
	char *copy = kstrdup(data);
	if (!copy)
		return -ENOMEM;
	int r = 0;
	for (char *opt = copy, *next; opt && r == 0; opt = next) {
		next = strchr(opt, ',');
		if (next)
			*next++ = 0;
		r = parse_option(ts, opt);
	}
	kfree(copy);
	return r;
}

/* Limits may change as long as they hold; what was made without a limit stays so. */
static int tmpfs_remount(struct super_block *sb, const char *data)
{
	struct tmpfs_sb *ts = sb->private, *wanted = kmalloc(sizeof(*wanted));
	if (!wanted)
		return -ENOMEM;
	*wanted = (struct tmpfs_sb){.max_blocks = ts->max_blocks, .max_inodes = ts->max_inodes};
	int r = parse_options(wanted, data);
	spin_lock(&ts->lock);
	if (r == 0 && ((wanted->max_blocks && (!ts->max_blocks || wanted->max_blocks < ts->used_blocks)) ||
	               (wanted->max_inodes && (!ts->max_inodes || wanted->max_inodes * TMPFS_INODE_SPACE < ts->used_space))))
		r = -EINVAL;
	if (r == 0) {
		ts->max_blocks = wanted->max_blocks;
		ts->max_inodes = wanted->max_inodes;
	}
	spin_unlock(&ts->lock);
	kfree(wanted);
	return r;
}

struct super_block *tmpfs_mount(const struct fs_type *type, const char *source, const char *data, uint32_t flags)
{
	bool ramfs = strcmp(type->name, "ramfs") == 0;
	struct tmpfs_sb *ts = kzalloc(sizeof(*ts));
	if (!ts)
		return ERR_PTR(-ENOMEM);
	spin_init(&ts->lock);
	list_init(&ts->doomed);
	ts->mode = ramfs ? 0755 : 01777;
	ts->uid = current->cred->fsuid;
	ts->gid = current->cred->fsgid;
	if (!ramfs)
		ts->max_blocks = ts->max_inodes = memory_pages() / 2;
	int r = parse_options(ts, data);
	struct super_block *sb = r ? NULL : super_alloc(type, &tmpfs_super_ops, ramfs ? RAMFS_MAGIC : TMPFS_MAGIC);
	if (!sb) {
		kfree(ts);
		return ERR_PTR(r ? r : -ENOMEM);
	}
	sb->private = ts;
	sb->flags = flags & MS_RDONLY;
	struct inode *root = tmpfs_inode(sb, NULL, S_IFDIR | ts->mode, 0);
	if (!IS_ERR(root)) {
		root->uid = ts->uid;
		root->gid = ts->gid;
		sb->root = dentry_make_root(root);
		if (!sb->root)
			inode_put(root);
	}
	if (!sb->root) {
		super_put(sb);
		return ERR_PTR(-ENOMEM);
	}
	return sb;
}

const struct fs_type tmpfs_type = {.name = "tmpfs", .nodev = true, .owner = ns_owner_current,
	.mount = tmpfs_mount};
const struct fs_type ramfs_type = {.name = "ramfs", .nodev = true, .owner = ns_owner_current,
	.mount = tmpfs_mount};

void tmpfs_init(void)
{
	/* built here, not by tmpfs_mount: no task and no container exist yet */
	struct tmpfs_sb *ts = kzalloc(sizeof(*ts));
	shm_sb = super_alloc(&tmpfs_type, &tmpfs_super_ops, TMPFS_MAGIC);
	if (!ts || !shm_sb)
		panic("no memory for shared memory files");
	spin_init(&ts->lock);
	list_init(&ts->doomed);
	shm_sb->private = ts;
}

struct file *tmpfs_anon_file(const char *name, uint64_t size, uint32_t mode, uint32_t flags)
{
	struct inode *i = tmpfs_inode(shm_sb, NULL, S_IFREG | mode, 0);
	if (IS_ERR(i))
		return (struct file *)i;
	i->nlink = 0;
	i->size = size;
	struct file *f = file_from_inode(i, name, &tmpfs_file_ops, NULL, flags);
	if (!f) {
		inode_put(i);
		return ERR_PTR(-ENOMEM);
	}
	/* As in Linux this descriptor is no writer in the sense of ETXTBSY: a memfd can be executed while it is open. */
	return f;
}
