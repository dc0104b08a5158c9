/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The path walk from the inside, for the calls that do more than resolve a name: open with O_CREAT, operations that
 * create or remove the last component, mount crossing.
 */
#ifndef FS_NAMEI_H
#define FS_NAMEI_H

#include "fs/vfs.h"

#define NAME_MAX_ 255
#define MAX_SYMLINKS 40
#define LINK_FRAMES_INLINE 3

enum last_type { LAST_NORM, LAST_ROOT, LAST_DOT, LAST_DOTDOT };

/* A symlink being followed: its target's text, and where to go on afterwards. */
struct link_frame {
	char *owned;          /* to kfree, or NULL */
	struct inode *hold;   /* keeps inode->link alive, or NULL */
	const char *rest;
};

struct nameidata {
	struct path path;     /* where the walk is; references */
	struct path root;     /* root.mnt NULL until needed; references */
	struct path start;    /* for RESOLVE_BENEATH; references, or mnt NULL */
	uint32_t flags;       /* LOOKUP_* */
	unsigned nlinks, depth;
	const char *pos;      /* next byte of the text in work */
	struct link_frame inline_frames[LINK_FRAMES_INLINE];
	struct link_frame *frames;
	/* the last component, when the walk stopped before it (LOOKUP_PARENT) */
	char *last;           /* points into the text */
	size_t last_len;
	uint32_t last_hash;
	enum last_type last_type;
	bool trailing;        /* a slash follows the last component */
};

/* Starts at dfd, the root or the cwd. 0 or -errno; nd_done must follow in both cases. name must outlive nd. */
int nd_start(struct nameidata *nd, int dfd, const char *name, uint32_t flags) MUST_CHECK;
/* Walks on; with LOOKUP_PARENT stops before the last component. */
int nd_walk(struct nameidata *nd) MUST_CHECK;
/* The symlink d in nd->path is the last component and must be followed: continue with nd_walk. */
int nd_follow_last(struct nameidata *nd, struct dentry *d) MUST_CHECK;
/* The last component is not a name (last_type): go there. */
int nd_enter_last(struct nameidata *nd) MUST_CHECK;
/* Steps over mounts on top of p (replaces the references in *p). -EXDEV with LOOKUP_NO_XDEV. */
int nd_cross_mounts(const struct nameidata *nd, struct path *p) MUST_CHECK;
/* RESOLVE_BENEATH: is the final place still below the start? */
int nd_check_result(struct nameidata *nd) MUST_CHECK;
void nd_done(struct nameidata *nd);

uint32_t name_hash(const char *name, size_t len);
struct dentry *dentry_lookup_hash(struct dentry *dir, const char *name, size_t len, uint32_t hash);

/* mount.c */
struct mount *mount_lookup(struct mount *parent, struct dentry *d); /* the mount on top, with a reference, or NULL */
bool mount_parent_of(struct path *p); /* p is a mount's root: moves it to the mountpoint; false at the top */
extern struct mount anon_mount;
/* A reference on the mount to write through: 0 or -EROFS. */
static inline int mount_writable(const struct mount *m)
{
	return (m->flags | m->sb->flags) & 1 /* MS_RDONLY */ ? -EROFS : 0;
}
void mount_init(void);

/* dcache.c */
extern spinlock_t dcache_tree_lock;
void dentry_get_parent(struct dentry *d, struct dentry **out);
bool dentry_is_ancestor(struct dentry *anc, struct dentry *d); /* anc == d counts */

/* permission.c */
int may_create(const struct path *dir);
int may_delete(const struct path *dir, struct dentry *victim, bool isdir);
/* The mode of a new object in dir: less the umask, unless dir has a default ACL, which then decides. */
uint32_t create_mode(const struct inode *dir, uint32_t mode);
bool inode_capable(const struct inode *inode, int cap);
bool inode_owner_or_capable(const struct inode *inode);
int mode_kill_suid(const struct inode *inode, uint32_t *mode); /* 1: *mode is the mode without set-id bits */
void file_kill_suid(struct file *f); /* who writes without CAP_FSETID clears them */

/* anon.c, tmpfs.c, pipe.c, locks.c, notify.c, fasync.c */
void anon_init(void);
void tmpfs_init(void);
int fifo_open(struct inode *inode, struct file *file);
struct pipe *file_pipe(struct file *f); /* the pipe behind a file, or NULL */
int64_t pipe_set_size(struct file *f, uint64_t size);
int64_t pipe_get_size(struct file *f);
void locks_remove_posix(struct file *f, struct files *owner);
void locks_remove_file(struct file *f);
void locks_free_inode(struct inode *inode);
void notify_inode_gone(struct inode *inode); /* the last name is gone and unused: IN_DELETE_SELF, IN_IGNORED */
void notify_super_gone(struct super_block *sb);
int fasync_set(struct file *f, int fd, bool on);
/* F_SETOWN: a process, minus a process group, or 0. */
int file_set_owner(struct file *f, int32_t who);
/* F_GETOWN: the same, as the current task numbers it. */
int32_t file_owner(const struct file *f);
void fasync_release(struct file *f);
/* F_NOTIFY; arg: DN_*. 0, -ENOTDIR, -ENOMEM. */
int dnotify_set(struct file *f, int fd, uint32_t arg);
void dnotify_release(struct file *f);
/* SIGURG to the owner. The file must not go meanwhile; does not sleep. */
void file_send_sigurg(struct file *f);
void file_send_sigio(struct file *f, int fd, uint32_t events);

/* char and block devices by number (owned by the device drivers) */
int chrdev_open(struct inode *inode, struct file *file);

/* fd_table.c: a descriptor for the length of a system call. Takes no reference when nobody else can close it. */
struct fdref {
	struct file *file;
	bool owned;
};
struct fdref fdref_get(int fd);      /* file NULL: EBADF (also O_PATH) */
struct fdref fdref_get_path(int fd); /* O_PATH too */
static inline void fdref_put(struct fdref r)
{
	if (r.owned)
		file_put(r.file);
}

int64_t fd_dup(int fd, uint64_t min, bool cloexec); /* F_DUPFD */
int fd_set_cloexec(int fd, bool on);

/* file.c */
struct file *file_new(const struct path *path, uint32_t flags); /* path's references are copied */

/* read_write.c */
/* n bytes at pos: -EINVAL when their end cannot be told. */
int rw_check_area(const struct file *f, uint64_t pos, uint64_t n);
/* Cuts a write at RLIMIT_FSIZE and the file system's limit: -EFBIG (and SIGXFSZ) when nothing is left. */
int write_limit(struct file *f, uint64_t pos, struct iter *from);

/* locks around a change of names */
void lock_rename(struct dentry *a, struct dentry *b);
void unlock_rename(struct dentry *a, struct dentry *b);
void inode_lock_two(struct inode *a, struct inode *b);
void inode_unlock_two(struct inode *a, struct inode *b);

#endif
