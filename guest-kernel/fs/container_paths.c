/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container's description asks of its tree of files once everything is mounted: settings of /proc/sys, device nodes,
 * masked and read-only paths, propagation. In this order: a read-only /proc/sys comes after its settings.
 *
 * Every path is resolved inside the container's own root, by its first task, which has all privileges yet.
 */
#include <linux/mount.h>

#include "fs/container_fs.h"
#include "fs/mount.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/page.h"
#include "task/container.h"
#include "task/task.h"

#define SYSCTL_PATH_MAX 512u

/* ---- settings ---- */
static int write_setting(const char *path, const char *value)
{
	struct file *f = vfs_open(AT_FDCWD, path, O_WRONLY, 0, LOOKUP_FOLLOW);

	if (IS_ERR(f))
		return PTR_ERR(f);
	ssize_t_ n = file_write_kernel(f, value, strlen(value), 0);
	file_put(f);
	return n < 0 ? (int)n : 0;
}

/* "net.core.somaxconn=1024". Those of the network that are not known here are the host's network namespace's. */
static int set_sysctl(const char *setting)
{
	const char *eq = strchr(setting, '=');
	size_t n = eq ? (size_t)(eq - setting) : 0;
	char path[SYSCTL_PATH_MAX] = "/proc/sys/";
	size_t at = strlen(path);

	if (!n || at + n >= sizeof(path))
		return container_refuse(-EINVAL, "linux.sysctl: %s", setting);
	for (size_t i = 0; i < n; i++)
		path[at++] = setting[i] == '.' ? '/' : setting[i];
	path[at] = 0;
	int err = write_setting(path, eq + 1);
	if (err == -ENOENT && strncmp(setting, "net.", 4) == 0)
		return 0;
	return err ? container_refuse(err, "linux.sysctl: %s", setting) : 0;
}

/* ---- devices ---- */
static int make_parents(const char *path)
{
	char *copy = kstrdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		(void)vfs_mkdir(AT_FDCWD, copy, 0755); /* the node itself tells what is wrong */
		*p = '/';
	}
	kfree(copy);
	return 0;
}

static int make_device(const struct fdt *f, int node)
{
	const char *path = fdt_string(f, node, "path");
	uint32_t mode = fdt_u32(f, node, "mode", 0);
	struct iattr attr = {.valid = ATTR_MODE | ATTR_UID | ATTR_GID, .mode = mode, .uid = fdt_u32(f, node, "uid", 0),
	                     .gid = fdt_u32(f, node, "gid", 0)};
	struct path at;

	if (!path || *path != '/')
		return container_refuse(-EINVAL, "linux.devices");
	int err = make_parents(path);
	if (!err)
		err = vfs_mknod(AT_FDCWD, path, mode, MKDEV(fdt_u32(f, node, "major", 0), fdt_u32(f, node, "minor", 0)), NULL);
	if (err == -EEXIST)
		return 0; /* of the container's own, or one that all have */
	if (!err)
		err = path_lookup(AT_FDCWD, path, 0, &at);
	if (err)
		return container_refuse(err, "linux.devices: %s", path);
	err = vfs_setattr(&at, &attr);
	path_put(&at);
	return err ? container_refuse(err, "linux.devices: %s", path) : 0;
}

/* ---- masked and read-only paths ---- */
static int cover(const struct path *from, const struct path *at, bool recursive)
{
	struct mount *m = mount_clone_tree(from, recursive);

	if (IS_ERR(m))
		return PTR_ERR(m);
	int err = mount_graft(m, at);
	if (err)
		mount_dissolve(m);
	return err;
}

static int cover_with_null(const struct path *at)
{
	struct path null;
	int err = path_lookup(AT_FDCWD, "/dev/null", LOOKUP_FOLLOW, &null);

	if (err)
		return err;
	err = cover(&null, at, false);
	path_put(&null);
	return err;
}

/* An empty directory, or an empty file, takes its place. */
static int mask(const char *path)
{
	struct path at;
	int err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &at);

	if (err == -ENOENT || err == -ENOTDIR)
		return 0;
	if (!err) {
		if (S_ISDIR(at.dentry->inode->mode))
			err = vfs_mount("tmpfs", &at, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755,size=0");
		else
			err = cover_with_null(&at);
		path_put(&at);
	}
	return err ? container_refuse(err, "linux.maskedPaths: %s", path) : 0;
}

static int make_readonly(const char *path)
{
	struct path at;
	int err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &at);

	if (err == -ENOENT || err == -ENOTDIR)
		return 0;
	if (!err) {
		err = cover(&at, &at, true);
		path_put(&at);
	}
	if (!err)
		err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &at);
	if (!err) {
		err = mount_change(&at, MS_RDONLY, 0, 0, false);
		path_put(&at);
	}
	return err ? container_refuse(err, "linux.readonlyPaths: %s", path) : 0;
}

/* ---- propagation ---- */
static int set_propagation(const char *name)
{
	static const struct {
		const char *name;
		uint32_t type;
	} types[] = {{"private", MS_PRIVATE}, {"slave", MS_SLAVE}, {"shared", MS_SHARED}, {"unbindable", MS_UNBINDABLE}};
	bool recursive = *name == 'r';
	struct path root = {current->nsproxy->mnt->root, current->nsproxy->mnt->root->root};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].name, name + recursive) == 0)
			return mount_change(&root, 0, 0, types[i].type, recursive);
	return container_refuse(-EINVAL, "linux.rootfsPropagation: %s", name);
}

static int for_each_string(const struct fdt *f, int node, const char *prop, int (*fn)(const char *))
{
	const char *s;
	int err = 0;

	for (int i = 0; !err && (s = fdt_stringlist(f, node, prop, i)); i++)
		err = fn(s);
	return err;
}

int container_adjust_paths(const struct fdt *f, int node)
{
	int devices = fdt_child(f, node, "devices");
	const char *propagation = fdt_string(f, node, "root-propagation");
	int err = for_each_string(f, node, "sysctls", set_sysctl);

	for (int d = devices < 0 ? -1 : fdt_first_child(f, devices); !err && d >= 0; d = fdt_next_sibling(f, d))
		err = make_device(f, d);
	if (!err)
		err = for_each_string(f, node, "masked-paths", mask);
	if (!err)
		err = for_each_string(f, node, "readonly-paths", make_readonly);
	if (!err && propagation)
		err = set_propagation(propagation);
	return err;
}
