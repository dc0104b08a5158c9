/* SPDX-License-Identifier: Apache-2.0 */
/* The container's file systems and descriptors, built from the boot tree (fs/container_fs.c). */
#ifndef FS_CONTAINER_FS_H
#define FS_CONTAINER_FS_H

#include "fs/vfs.h"
#include "lib/fdt.h"

/* Root file system and every mount of the /container node, in order; sets the current task's root and cwd to "/".
 * 0 or -errno after a pr_err that names the mount. */
int container_mount_all(const struct fdt *f, int node);
/* Makes "/" of the container's mount namespace the root and the working directory of the current task. */
int container_enter_root(void);
/* container_paths.c: what the node asks of the tree of files that container_mount_all has built: settings, device nodes,
 * paths that are masked or read-only, propagation. 0 or -errno with a reason. */
int container_adjust_paths(const struct fdt *f, int node);
/* Opens the io numbers of the node as descriptors 0, 1, 2, ... of the current task, or none of them. terminal: they are a
 * terminal of the container's own, the controlling tty of the current session. */
int container_open_stdio(const struct fdt *f, int node, bool terminal);
/* The standard streams become the user's, as with runc: who may open /dev/stdout is asked of their inodes. */
void container_own_stdio(uint32_t uid);
/* Closes the io numbers of the node, from the first-th on. */
void container_drop_io(const struct fdt *f, int node, uint32_t first);
/* Gives up the gofer mounts that came with a message and are not mounted. */
void container_drop_mounts(const struct fdt *f);
/* EV_IO from the event ring. */
void host_io_event(uint32_t io, uint32_t events);
/* A file system backed by gofer mount index (super block or ERR_PTR). flags: MS_RDONLY, and GOFER_SHARED when others
 * change the files too (--file-access=shared). */
#define GOFER_SHARED (1u << 31)
struct super_block *gofer_mount(uint32_t index, uint32_t flags);
/* Overlay of upper (a directory of a writable file system) over lower. */
struct super_block *overlay_mount(const struct path *lower, const struct path *upper);

#endif
