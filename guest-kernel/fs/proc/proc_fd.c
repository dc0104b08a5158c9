// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/fd, fdinfo and ns. */
#include "fs/proc/proc.h"

#include <linux/sched.h>

#include "lib/string.h"

/* The open file behind descriptor ref->number of ref->task, with a reference, or NULL. */
static struct file *fd_file(const struct pseudo_ref *ref)
{
	struct files *files = proc_task_files(ref->task);
	if (!files)
		return NULL;
	struct file *f = files_lookup(files, (int)ref->number);
	files_put(files);
	return f;
}

static bool fd_alive(const struct pseudo_ref *ref)
{
	struct file *f = fd_file(ref);
	if (f)
		file_put(f);
	return f != NULL;
}

static int fd_follow(const struct pseudo_ref *ref, struct path *out)
{
	struct file *f = fd_file(ref);
	if (!f)
		return -ENOENT;
	*out = f->path;
	path_get(out);
	file_put(f);
	return 0;
}

static char *fd_link(const struct pseudo_ref *ref)
{
	struct path p;
	int err = fd_follow(ref, &p);
	if (err)
		return ERR_PTR(err);
	char *buf = kmalloc(PATH_MAX_);
	char *name = buf ? path_name_unmarked(&p, buf, PATH_MAX_) : ERR_PTR(-ENOMEM);
	if (!IS_ERR(name)) {
		name = kstrdup(name);
		if (!name)
			name = ERR_PTR(-ENOMEM);
	}
	kfree(buf);
	path_put(&p);
	return name;
}

/* What the descriptor is open for shows in the link's permissions. */
static uint32_t fd_permissions(const struct pseudo_ref *ref)
{
	struct file *f = fd_file(ref);
	uint32_t mode = 0;
	if (f) {
		mode |= f->mode & FMODE_READ ? 0500 : 0;
		mode |= f->mode & FMODE_WRITE ? 0300 : 0;
		file_put(f);
	}
	return mode;
}

static int fdinfo_show(struct seq *s, const struct pseudo_ref *ref)
{
	struct file *f = fd_file(ref);
	if (!f)
		return -ENOENT;
	struct files *files = proc_task_files(ref->task);
	uint32_t flags = f->flags | (files && files_get_cloexec(files, (int)ref->number) ? O_CLOEXEC : 0);
	if (files)
		files_put(files);
	seq_printf(s, "pos:\t%llu\nflags:\t0%o\nmnt_id:\t%d\nino:\t%llu\n", (unsigned long long)f->pos, flags,
	           f->path.mnt ? f->path.mnt->id : 0, (unsigned long long)f->inode->ino);
	if (f->ops && f->ops->show_fdinfo) {
		char *buf = kmalloc(PAGE_SIZE);
		if (buf) {
			int n = f->ops->show_fdinfo(f, buf, PAGE_SIZE);
			if (n > 0)
				seq_write(s, buf, MIN((size_t)n, (size_t)PAGE_SIZE - 1));
			kfree(buf);
		}
	}
	file_put(f);
	return 0;
}

static const struct pseudo_entry fd_entry = {"fd", S_IFLNK | 0700, .link = fd_link, .follow = fd_follow,
                                             .alive = fd_alive, .size = 64, .permissions = fd_permissions};
static const struct pseudo_entry fdinfo_entry = {"fdinfo", FILE_OWN, .show = fdinfo_show, .alive = fd_alive};

static int lookup_number(const struct pseudo_ref *dir, const struct pseudo_entry *e, const char *name, size_t len,
                         struct pseudo_ref *out)
{
	char buf[16];
	uint64_t fd;
	if (!len || len >= sizeof(buf) || (len > 1 && name[0] == '0'))
		return -ENOENT;
	memcpy(buf, name, len);
	buf[len] = '\0';
	if (parse_u64(buf, 10, &fd) || fd > 0x7fffffff)
		return -ENOENT;
	struct pseudo_ref r = {e, dir->task, fd};
	if (!fd_alive(&r))
		return -ENOENT;
	task_get(r.task);
	*out = r;
	return 0;
}

int proc_fd_lookup(const struct pseudo_ref *dir, const char *name, size_t len, struct pseudo_ref *out)
{
	return lookup_number(dir, &fd_entry, name, len, out);
}

int proc_fdinfo_lookup(const struct pseudo_ref *dir, const char *name, size_t len, struct pseudo_ref *out)
{
	return lookup_number(dir, &fdinfo_entry, name, len, out);
}

bool proc_fd_next(const struct pseudo_ref *dir, uint64_t *cookie, char *name, unsigned *type)
{
	struct files *files = proc_task_files(dir->task);
	if (!files)
		return false;
	int fd = *cookie > 0x7fffffff ? -1 : files_next_fd(files, (int)*cookie);
	files_put(files);
	if (fd < 0)
		return false;
	snprintf(name, 32, "%d", fd);
	*type = dir->entry->lookup == proc_fd_lookup ? 10 : 8;
	*cookie = (uint64_t)fd;
	return true;
}

/* ---- ns: one set of namespaces, named with the numbers Linux gives the initial ones ---- */

static const struct {
	const char *name, *kind;
	uint32_t ino, flag;
} namespaces[] = {
	{"cgroup", "cgroup", 4026531835u, CLONE_NEWCGROUP},
	{"ipc", "ipc", 4026531839u, CLONE_NEWIPC},
	{"mnt", "mnt", 4026531841u, CLONE_NEWNS},
	{"net", "net", 4026531840u, CLONE_NEWNET},
	{"pid", "pid", 4026531836u, CLONE_NEWPID},
	{"pid_for_children", "pid", 4026531836u, CLONE_NEWPID},
	{"time", "time", 4026531834u, CLONE_NEWTIME},
	{"time_for_children", "time", 4026531834u, CLONE_NEWTIME},
	{"user", "user", 4026531837u, CLONE_NEWUSER},
	{"uts", "uts", 4026531838u, CLONE_NEWUTS},
};

/* Files of namespaces, made when first opened: "kind:[number]", of which there is one each (ioctl_ns(2)). */
static struct {
	struct mutex lock;
	struct file *file[ARRAY_SIZE(namespaces)]; /* lock to set */
} ns_files = {.lock = MUTEX_INIT(ns_files.lock)};

#define NS_GET_USERNS_    0xb701u
#define NS_GET_PARENT_    0xb702u
#define NS_GET_NSTYPE_    0xb703u
#define NS_GET_OWNER_UID_ 0xb704u

static int64_t ns_ioctl(struct file *f, uint32_t cmd, uint64_t arg)
{
	switch (cmd) {
	case NS_GET_NSTYPE_:
		for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
			if (namespaces[i].ino == f->inode->ino)
				return namespaces[i].flag;
		return -EINVAL;
	case NS_GET_USERNS_:
	case NS_GET_PARENT_:
		return -EPERM; /* outside what can be seen */
	case NS_GET_OWNER_UID_:
		return -EINVAL;
	}
	return -ENOTTY;
}

static const struct file_ops ns_fops = {.ioctl = ns_ioctl};

static struct file *ns_make(size_t i)
{
	char name[32];
	snprintf(name, sizeof(name), "%s:", namespaces[i].kind);
	struct inode *inode = inode_anon(S_IFREG | 0444);
	if (!inode)
		return NULL;
	inode->ino = namespaces[i].ino;
	inode->uid = inode->gid = 0;
	inode->fops = &ns_fops;
	struct file *f = file_from_inode(inode, name, &ns_fops, NULL, O_RDONLY);
	if (!f)
		inode_put(inode);
	return f;
}

/* A zombie is in no namespaces any more, but for those that its ids belong to. */
static bool ns_left(const struct pseudo_ref *ref)
{
	return !READ_ONCE(ref->task->fs) && namespaces[ref->number].flag != CLONE_NEWPID &&
	       namespaces[ref->number].flag != CLONE_NEWUSER;
}

static char *ns_link(const struct pseudo_ref *ref)
{
	char buf[40];
	if (ns_left(ref))
		return ERR_PTR(-ENOENT);
	snprintf(buf, sizeof(buf), "%s:[%u]", namespaces[ref->number].kind, namespaces[ref->number].ino);
	char *s = kstrdup(buf);
	return s ? s : ERR_PTR(-ENOMEM);
}

static int ns_follow(const struct pseudo_ref *ref, struct path *out)
{
	if (ns_left(ref))
		return -ENOENT;
	mutex_lock(&ns_files.lock);
	struct file *f = ns_files.file[ref->number];
	if (!f)
		f = ns_files.file[ref->number] = ns_make(ref->number);
	if (f) {
		*out = f->path;
		path_get(out);
	}
	mutex_unlock(&ns_files.lock);
	return f ? 0 : -ENOMEM;
}

uint32_t proc_ns_flag(const struct file *f)
{
	return f->ops == &ns_fops ? (uint32_t)ns_ioctl((struct file *)f, NS_GET_NSTYPE_, 0) : 0;
}

static const struct pseudo_entry ns_entry = {"ns", LINK, .link = ns_link, .follow = ns_follow};

int proc_ns_lookup(const struct pseudo_ref *dir, const char *name, size_t len, struct pseudo_ref *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		if (strlen(namespaces[i].name) == len && !memcmp(namespaces[i].name, name, len)) {
			task_get(dir->task);
			*out = (struct pseudo_ref){&ns_entry, dir->task, i};
			return 0;
		}
	}
	return -ENOENT;
}

bool proc_ns_next(const struct pseudo_ref *dir, uint64_t *cookie, char *name, unsigned *type)
{
	if (*cookie >= ARRAY_SIZE(namespaces))
		return false;
	strlcpy(name, namespaces[*cookie].name, 32);
	*type = 10;
	return true;
}
