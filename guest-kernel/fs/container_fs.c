// SPDX-License-Identifier: Apache-2.0
/*
 * The container's file systems, from the boot tree: the root, then each mount in order, and the descriptors it starts
 * with.
 *
 * A mount point that does not exist is created where the file system below is writable (an overlay or a writable
 * gofer mount); on a read-only one a directory is added inside the sandbox only. Nothing here trusts the names: every
 * path is resolved inside the container's own root.
 */
#include "fs/container_fs.h"

#include <linux/mount.h>

#include "boot/boot.h"
#include "fs/cgroupfs.h"
#include "fs/dev/chrdev.h"
#include "fs/gofer.h"
#include "fs/hostio.h"
#include "fs/mount.h"
#include "fs/tty/tty.h"
#include "lib/log.h"
#include "lib/string.h"
#include "task/task.h"

#define OPTIONS_MAX 512

struct mount_option {
	const char *name;
	uint32_t set, clear;
};

/* Options that are flags of the mount; the rest is for the file system. */
static const struct mount_option mount_options[] = {
	{"ro", MS_RDONLY, 0},
	{"rw", 0, MS_RDONLY},
	{"nosuid", MS_NOSUID, 0},
	{"suid", 0, MS_NOSUID},
	{"nodev", MS_NODEV, 0},
	{"dev", 0, MS_NODEV},
	{"noexec", MS_NOEXEC, 0},
	{"exec", 0, MS_NOEXEC},
	{"sync", MS_SYNCHRONOUS, 0},
	{"async", 0, MS_SYNCHRONOUS},
	{"dirsync", MS_DIRSYNC, 0},
	{"noatime", MS_NOATIME, 0},
	{"atime", 0, MS_NOATIME},
	{"nodiratime", MS_NODIRATIME, 0},
	{"diratime", 0, MS_NODIRATIME},
	{"relatime", MS_RELATIME, 0},
	{"norelatime", 0, MS_RELATIME},
	{"strictatime", MS_STRICTATIME, 0},
	{"nostrictatime", 0, MS_STRICTATIME},
	{"bind", 0, 0},
	{"rbind", 0, 0},
	{"private", 0, 0},
	{"rprivate", 0, 0},
	{"shared", 0, 0},
	{"rshared", 0, 0},
	{"slave", 0, 0},
	{"rslave", 0, 0},
	{"unbindable", 0, 0},
	{"runbindable", 0, 0},
	{"defaults", 0, 0},
	{"newinstance", 0, 0},
};

static bool fdt_flag(const struct fdt *f, int node, const char *name)
{
	uint32_t len;
	const void *p = fdt_prop(f, node, name, &len);
	return p && (len != 4 || fdt_load32(p));
}

/* Splits the option list: mount flags in the result, the file system's own joined by commas in data, and runc's tmpcopyup. */
static uint32_t parse_options(const struct fdt *f, int node, char data[OPTIONS_MAX], bool *copy_up)
{
	uint32_t flags = 0;
	size_t used = 0;
	const char *opt;
	data[0] = 0;
	for (int i = 0; (opt = fdt_stringlist(f, node, "options", i)); i++) {
		size_t k;
		for (k = 0; k < ARRAY_SIZE(mount_options) && strcmp(mount_options[k].name, opt); k++)
			;
		if (!strcmp(opt, "tmpcopyup")) {
			*copy_up = true;
		} else if (k < ARRAY_SIZE(mount_options)) {
			flags = (flags & ~mount_options[k].clear) | mount_options[k].set;
		} else if (used + strlen(opt) + 2 < OPTIONS_MAX) {
			used += snprintf(data + used, OPTIONS_MAX - used, "%s%s", used ? "," : "", opt);
		} else {
			pr_warn("mount option '%s' dropped: too many", opt);
		}
	}
	if (fdt_flag(f, node, "readonly"))
		flags |= MS_RDONLY;
	return flags;
}

/* ---- super blocks ---- */
/* A mount outside the tree, for a layer that is reached through the overlay only. Never freed. */
static struct mount *hidden_mount(struct super_block *sb)
{
	struct mount *m = kzalloc(sizeof(*m));
	if (!m)
		return NULL;
	ref_init(&m->refs);
	mount_init_links(m);
	m->root = sb->root;
	dentry_get(m->root);
	m->sb = sb;
	return m;
}

static struct super_block *overlay_over(struct super_block *lower_sb)
{
	const struct fs_type *tmpfs = fs_type_find("tmpfs");
	struct super_block *upper_sb = tmpfs ? tmpfs->mount(tmpfs, "upper", "mode=755,size=100%,nr_inodes=0", 0) : ERR_PTR(-ENODEV);
	if (IS_ERR(upper_sb)) {
		super_put(lower_sb);
		return upper_sb;
	}
	struct path lower = {hidden_mount(lower_sb), lower_sb->root};
	struct path upper = {hidden_mount(upper_sb), upper_sb->root};
	if (!lower.mnt || !upper.mnt)
		return ERR_PTR(-ENOMEM);
	return overlay_mount(&lower, &upper);
}

static struct super_block *mount_gofer(const struct fdt *f, int node, bool overlay, bool shared)
{
	uint32_t index = fdt_u32(f, node, "mount", UINT32_MAX);
	if (index == UINT32_MAX)
		return ERR_PTR(-EINVAL);
	struct super_block *sb = gofer_mount(fdt_u32(f, 0, "mount-base", 0) + index, shared ? GOFER_SHARED : 0);
	if (IS_ERR(sb) || !overlay)
		return sb;
	if (!S_ISDIR(sb->root->inode->mode)) {
		pr_warn("overlay of a single file is not possible: mounted as it is");
		return sb;
	}
	return overlay_over(sb);
}

/* ---- mount points ---- */
/* A name that the host does not have, in a directory of a gofer mount. The dentry stays referenced for ever. */
static int make_synthetic(const struct path *parent, const char *name, uint32_t mode)
{
	struct inode *dir = parent->dentry->inode;
	if (!gofer_is_super(dir->sb))
		return -EROFS;
	mutex_lock(&dir->lock);
	struct dentry *d = dentry_lookup_locked(parent->dentry, name, strlen(name));
	int r = IS_ERR(d) ? PTR_ERR(d) : d->inode ? 0 : gofer_make_synthetic(dir, d, mode);
	mutex_unlock(&dir->lock);
	if (r && !IS_ERR(d))
		dentry_put(d);
	return r;
}

static int make_file(const char *name)
{
	struct file *file = vfs_open(AT_FDCWD, name, O_CREAT | O_RDWR | O_NOFOLLOW, 0644, 0);
	if (IS_ERR(file))
		return PTR_ERR(file);
	file_put(file);
	return 0;
}

/* Creates the last component of prefix, whose parent exists. read_only: the root may not be written. */
static int make_component(const char *prefix, bool dir, bool read_only)
{
	char last[256];
	struct path parent;
	bool dir_required;
	int r = -EROFS;
	if (!read_only)
		r = dir ? vfs_mkdir(AT_FDCWD, prefix, 0755) : make_file(prefix);
	if (!r || r == -EEXIST)
		return 0;
	int made = r;
	r = path_lookup_parent(AT_FDCWD, prefix, 0, &parent, last, &dir_required);
	if (r)
		return r;
	r = make_synthetic(&parent, last, dir ? S_IFDIR | 0755 : S_IFREG | 0644);
	/* A file system of the Sentry's own can be written even while the root below it cannot. */
	if (r == -EROFS && read_only)
		r = dir ? vfs_mkdir(AT_FDCWD, prefix, 0755) : make_file(prefix);
	path_put(&parent);
	return r ? (r == -EROFS ? made : r) : 0;
}

/* Resolves the mount point, creating what is missing. */
static int mountpoint(const char *dest, bool dir, bool read_only, struct path *out)
{
	int r = path_lookup(AT_FDCWD, dest, LOOKUP_FOLLOW, out);
	if (r != -ENOENT)
		return r;
	char *prefix = kstrdup(dest);
	if (!prefix)
		return -ENOMEM;
	r = 0;
	for (char *p = prefix + 1; !r && *p;) {
		char *slash = strchr(p, '/');
		struct path at;
		if (slash)
			*slash = 0;
		if (*p) {
			r = path_lookup(AT_FDCWD, prefix, LOOKUP_FOLLOW, &at);
			if (!r)
				path_put(&at);
			else if (r == -ENOENT)
				r = make_component(prefix, dir || slash, read_only);
		}
		if (!slash)
			break;
		*slash = '/';
		p = slash + 1;
	}
	kfree(prefix);
	return r ? r : path_lookup(AT_FDCWD, dest, LOOKUP_FOLLOW, out);
}

/* ---- the list of mounts ---- */
static struct super_block *mount_type(const struct fdt *f, int node, const char *type, const char *source,
                                      const char *data, uint32_t flags)
{
	const struct fs_type *t = fs_type_find(type);
	if (t)
		return t->mount(t, source, data, flags & MS_RDONLY);
	t = fs_type_find("tmpfs");
	if (!t)
		return ERR_PTR(-ENODEV);
	pr_warn("file system type '%s' is not available: an empty directory takes its place", type);
	return t->mount(t, source, "mode=755", 0);
}

struct mount_request {
	const char *dest, *type, *source, *data;
	uint32_t flags;
	bool root_read_only;
	const char *shown_type; /* a file system type under whose name it shows, or NULL */
	bool copy_up; /* a tmpfs begins with what the directory below it has */
};

struct entry_probe {
	struct dir_context ctx;
	bool seen;
};

/* Stops at the first real name. */
static bool note_entry(struct dir_context *ctx, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t next)
{
	struct entry_probe *p = (struct entry_probe *)ctx;
	p->seen |= !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
	return !p->seen;
}

static bool has_entries(const char *dest)
{
	struct entry_probe p = {.ctx.emit = note_entry};
	struct file *f = vfs_open(AT_FDCWD, dest, O_RDONLY | O_DIRECTORY, 0, 0);
	if (IS_ERR(f))
		return false;
	mutex_lock(&f->inode->lock);
	int r = f->ops->readdir ? f->ops->readdir(f, &p.ctx) : -ENOTDIR;
	mutex_unlock(&f->inode->lock);
	file_put(f);
	return r >= 0 && p.seen;
}

/* A tmpfs that begins with the contents of the directory at its mount point, at: an overlay of both, so that nothing is copied
 * before it is written. Where the directory is empty it stays what it is. Takes over the super block. */
static struct super_block *copied_up(struct super_block *sb, const char *dest, const struct path *at)
{
	if (!has_entries(dest))
		return sb;
	struct path upper = {hidden_mount(sb), sb->root};
	if (!upper.mnt) {
		super_put(sb);
		return ERR_PTR(-ENOMEM);
	}
	return overlay_mount(at, &upper);
}

static int mount_cgroup(const struct mount_request *m)
{
	struct path at;
	int r = mountpoint(m->dest, true, m->root_read_only, &at);
	if (r)
		return container_refuse(r, "mounts: %s (%s): cannot make the mount point", m->dest, m->type);
	r = cgroupfs_mount_all(m->dest, &at, m->flags, m->source);
	path_put(&at);
	return r ? container_refuse(r, "mounts: %s (%s)", m->dest, m->type) : 0;
}

static int mount_one(const struct fdt *f, int node, const struct mount_request *m)
{
	struct super_block *sb;
	struct path at;
	if (!strcmp(m->type, "cgroup"))
		return mount_cgroup(m);
	if (!strcmp(m->type, "gofer"))
		sb = mount_gofer(f, node, fdt_flag(f, node, "overlay"), true);
	else
		sb = mount_type(f, node, m->type, m->source, m->data, m->flags);
	if (IS_ERR(sb))
		return container_refuse(PTR_ERR(sb), "mounts: %s (%s)", m->dest, m->type);
	if (m->shown_type)
		sb->type = fs_type_find(m->shown_type);
	int r = mountpoint(m->dest, S_ISDIR(sb->root->inode->mode), m->root_read_only, &at);
	if (r) {
		super_put(sb);
		return container_refuse(r, "mounts: %s (%s): cannot make the mount point", m->dest, m->type);
	}
	if (m->copy_up)
		sb = copied_up(sb, m->dest, &at);
	r = IS_ERR(sb) ? PTR_ERR(sb) : mount_attach(sb, &at, m->flags, m->source);
	path_put(&at);
	return r ? container_refuse(r, "mounts: %s (%s)", m->dest, m->type) : 0;
}

static int mount_node(const struct fdt *f, int node, bool root_read_only)
{
	char data[OPTIONS_MAX];
	struct mount_request m = {
		.dest = fdt_string(f, node, "destination"),
		.type = fdt_string(f, node, "type"),
		.source = fdt_string(f, node, "source"),
		.root_read_only = root_read_only,
	};
	if (!m.dest || m.dest[0] != '/' || !m.type)
		return container_refuse(-EINVAL, "mounts: \"%s\" needs an absolute destination and a type", m.dest ? m.dest : "");
	m.flags = parse_options(f, node, data, &m.copy_up);
	m.data = data;
	if (!m.source)
		m.source = m.type;
	/* A bundle's /dev is a tmpfs which the runtime fills. */
	if (!strcmp(m.dest, "/dev") && !strcmp(m.type, "tmpfs")) {
		m.type = "devtmpfs";
		m.shown_type = "tmpfs";
		m.flags &= ~MS_NODEV;
	}
	return mount_one(f, node, &m);
}

int container_enter_root(void)
{
	struct fs_context *fs = current->fs;
	struct mount *m = current->nsproxy->mnt->root;
	if (!m)
		return -EAGAIN; /* its first process is still mounting */
	struct path root = {m, m->root};
	path_get(&root);
	path_get(&root);
	spin_lock(&fs->lock);
	struct path old_root = fs->root, old_cwd = fs->cwd;
	fs->root = fs->cwd = root;
	spin_unlock(&fs->lock);
	if (old_root.mnt)
		path_put(&old_root);
	if (old_cwd.mnt)
		path_put(&old_cwd);
	return 0;
}

static int mount_root(const struct fdt *f, int root, bool shared)
{
	const char *type = fdt_string(f, root, "type");
	bool overlay = type && !strcmp(type, "overlay");
	if (!type || (!overlay && strcmp(type, "gofer")))
		return container_refuse(-EINVAL, "root: unknown type \"%s\"", type ? type : "");
	struct super_block *sb = mount_gofer(f, root, overlay, shared);
	if (IS_ERR(sb))
		return container_refuse(PTR_ERR(sb), "root (%s)", type);
	if (!S_ISDIR(sb->root->inode->mode)) {
		super_put(sb);
		return container_refuse(-ENOTDIR, "root");
	}
	int r = mount_attach(sb, NULL, 0, overlay ? "overlay" : "rootfs");
	return r ? container_refuse(r, "root") : 0;
}

static bool is_mounted(const struct fdt *f, int mounts, const char *dest)
{
	for (int m = fdt_first_child(f, mounts); m >= 0; m = fdt_next_sibling(f, m)) {
		const char *d = fdt_string(f, m, "destination");
		if (d && !strcmp(d, dest))
			return true;
	}
	return false;
}

int container_mount_all(const struct fdt *f, int node)
{
	int root = fdt_child(f, node, "root");
	if (root < 0)
		return container_refuse(-EINVAL, "the container has no root");
	int r = mount_root(f, root, boot.file_access_shared);
	if (r)
		return r;
	r = container_enter_root();
	if (r)
		return r;
	const char *type = fdt_string(f, root, "type");
	bool readonly = fdt_flag(f, root, "readonly");
	bool synthetic = readonly && type && !strcmp(type, "gofer");
	int mounts = fdt_child(f, node, "mounts");
	if (mounts < 0 || !is_mounted(f, mounts, "/dev")) {
		struct mount_request dev = {"/dev", "devtmpfs", "devtmpfs", "", MS_NOSUID, synthetic};
		r = mount_one(f, node, &dev);
		if (r)
			return r;
	}
	for (int m = mounts < 0 ? -1 : fdt_first_child(f, mounts); m >= 0; m = fdt_next_sibling(f, m)) {
		r = mount_node(f, m, synthetic);
		if (r)
			return r;
	}
	if (readonly)
		atomic_or(&current->nsproxy->mnt->root->flags, MS_RDONLY);
	return 0;
}

void container_drop_mounts(const struct fdt *f)
{
	uint32_t base = fdt_u32(f, 0, "mount-base", UINT32_MAX), len;
	const void *flags = fdt_prop(f, 0, "mount-flags", &len);
	for (uint32_t i = 0; base != UINT32_MAX && flags && i < len / 4; i++)
		(void)hostcall1(HC_FS_UNMOUNT, base + i);
}

/* ---- descriptors ---- */
void container_drop_io(const struct fdt *f, int node, uint32_t first)
{
	uint32_t len;
	const uint8_t *io = fdt_prop(f, node, "io", &len);

	for (uint32_t i = first; io && i < len / 4; i++)
		(void)hostcall1(HC_IO_CLOSE, fdt_load32(io + 4 * i));
}

static int open_io(uint32_t io, int number, bool terminal)
{
	struct hc_attr a;
	struct hostio *h = hostio_get(io, &a);
	if (IS_ERR(h))
		return PTR_ERR(h);
	struct file *file = terminal && hostio_is_tty(h) ? tty_host_open(h) : hostio_open(h, &a, number);
	if (IS_ERR(file))
		return PTR_ERR(file);
	if (terminal && number == 0)
		tty_become_controlling(file);
	int fd = fd_reserve(number);
	if (fd < 0) {
		file_put(file);
		return fd;
	}
	fd_install(fd, file, false);
	return 0;
}

void container_own_stdio(uint32_t uid)
{
	for (int fd = 0; fd < 3; fd++) {
		struct file *f = fd_get(fd);
		/* /dev/null and its kin stay everybody's. */
		if (f && !(S_ISCHR(f->inode->mode) && DEV_MAJOR(f->inode->rdev) == MEM_MAJOR))
			f->inode->uid = uid;
		if (f)
			file_put(f);
	}
}

int container_open_stdio(const struct fdt *f, int node, bool terminal)
{
	uint32_t len;
	const uint8_t *io = fdt_prop(f, node, "io", &len);
	if (!io)
		return 0;
	for (uint32_t i = 0; i < len / 4; i++) {
		/* Whatever becomes of it, the number is not ours any more. */
		int r = open_io(fdt_load32(io + 4 * i), (int)i, terminal);
		if (r) {
			container_drop_io(f, node, i + 1);
			return container_refuse(r, "descriptor %u", i);
		}
	}
	return 0;
}
