/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual file system: super blocks, inodes, dentries, mounts, open files. Modelled on Linux's, smaller.
 *
 * Locks, outermost first: fs->rename_lock (mutex, per super block; only renames across directories) > inode->lock
 * (mutex; directory operations; parent before child; two directories in address order) > dentry->lock (spinlock) >
 * dcache hash lock. Mount trees: mount_lock (spinlock), which dcache_tree_lock may be taken in.
 *
 * A directory's inode->lock is held around lookup and every operation that changes it. Path walks of cached names take
 * only the dcache lock and references.
 */
#ifndef FS_VFS_H
#define FS_VFS_H

#include <linux/stat.h>
#include <linux/fcntl.h>

#include "lib/atomic.h"
#include "lib/list.h"
#include "lib/uio.h"
#include "mm/mm.h"
#include "task/namespace.h"
#include "task/wait_queue.h"

struct super_block;
struct inode;
struct dentry;
struct mount;
struct file;
struct cred;
struct fs_type;
struct posix_acl;

struct timespec64 {
	int64_t tv_sec;
	uint32_t tv_nsec;
};

/* What stat(2) and statx(2) report. */
struct kstat {
	uint64_t ino, dev, rdev, size, blocks;
	uint32_t mode, nlink, uid, gid, blksize;
	struct timespec64 atime, mtime, ctime, btime;
	bool has_btime;
	uint64_t mnt_id;
	uint64_t attributes, attributes_mask;
};

#define MKDEV(ma, mi) ((((uint64_t)(ma)) << 20) | (mi))
#define DEV_MAJOR(d) ((uint32_t)((d) >> 20))
#define DEV_MINOR(d) ((uint32_t)((d) & 0xfffff))
uint64_t dev_encode(uint64_t dev); /* to the user-visible 64-bit dev_t */
uint64_t dev_decode(uint64_t user_dev);

/* setattr request; the fields named by valid (ATTR_*). */
#define ATTR_MODE  1u
#define ATTR_UID   2u
#define ATTR_GID   4u
#define ATTR_SIZE  8u
#define ATTR_ATIME 16u
#define ATTR_MTIME 32u
#define ATTR_CTIME 64u
#define ATTR_ATIME_SET 128u /* the caller chose atime; otherwise it is the current time */
#define ATTR_MTIME_SET 256u
#define ATTR_FORCE 512u     /* the VFS itself asks (clearing set-id bits): no permission checks */
struct iattr {
	uint32_t valid, mode, uid, gid;
	uint64_t size;
	struct timespec64 atime, mtime;
	struct file *file; /* ftruncate: the open file */
};

struct path {
	struct mount *mnt;
	struct dentry *dentry;
};

/* Directory operations run with dir->lock held. dentry is negative on entry to those that create. */
struct inode_ops {
	/* Finds dentry->name; on success attaches an inode with dentry_instantiate (or leaves it negative: not found)
	 * and returns 0. */
	int (*lookup)(struct inode *dir, struct dentry *dentry);
	int (*create)(struct inode *dir, struct dentry *dentry, uint32_t mode);
	/* create and open in one step, optional (gofer): the file is ready for use on 0. */
	int (*create_open)(struct inode *dir, struct dentry *dentry, uint32_t mode, struct file *file);
	int (*mkdir)(struct inode *dir, struct dentry *dentry, uint32_t mode);
	int (*mknod)(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t dev);
	int (*symlink)(struct inode *dir, struct dentry *dentry, const char *target);
	int (*link)(struct dentry *old, struct inode *dir, struct dentry *dentry);
	int (*unlink)(struct inode *dir, struct dentry *dentry);
	int (*rmdir)(struct inode *dir, struct dentry *dentry);
	int (*rename)(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *new, uint32_t flags);
	int (*tmpfile)(struct inode *dir, struct dentry *dentry, uint32_t mode); /* O_TMPFILE */
	/* Target of a symlink as a kmalloc'ed string, or ERR_PTR. */
	char *(*readlink)(struct inode *inode);
	/* Magic links (/proc/PID/fd/N, exe, cwd): fills *out with references; optional. */
	int (*follow)(struct inode *inode, struct path *out);
	int (*getattr)(struct inode *inode, struct kstat *st); /* default: from the inode */
	int (*setattr)(struct inode *inode, struct iattr *attr); /* permission already checked; inode->lock held */
	/* The inode whose atime a read changes, or NULL; default: the inode itself. */
	struct inode *(*atime_inode)(struct inode *inode);
	int (*permission)(struct inode *inode, int mask); /* default: mode bits and capabilities */
	/* As getxattr(2) ... with kernel buffers; size 0 asks for the length. set and remove: inode->lock held. */
	ssize_t_ (*getxattr)(struct inode *inode, const char *name, void *value, size_t size);
	int (*setxattr)(struct inode *inode, const char *name, const void *value, size_t size, int flags);
	ssize_t_ (*listxattr)(struct inode *inode, char *list, size_t size);
	int (*removexattr)(struct inode *inode, const char *name);
	/* POSIX ACLs, optional: type and acl (NULL: none) of fs/posix_acl.h; inode->lock held. The lists themselves are the
	 * inode's acl and default_acl. */
	int (*set_acl)(struct inode *inode, unsigned type, struct posix_acl *acl);
};

struct dir_context {
	/* Emits one entry; false: the buffer is full, stop (the entry was not taken). */
	bool (*emit)(struct dir_context *ctx, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t next_pos);
	uint64_t pos;
};

struct poll_table;

struct file_ops {
	int (*open)(struct inode *inode, struct file *file);
	void (*release)(struct file *file); /* last reference is gone */
	int (*flush)(struct file *file);    /* close(2) of one descriptor; optional */
	/* pos: the offset to use and advance (file->pos or a pread offset). Non-blocking when file->flags & O_NONBLOCK or
	 * the caller says so in nonblock. Bytes or -errno. */
	ssize_t_ (*read)(struct file *file, struct iter *to, uint64_t *pos);
	/* All n bytes at off into kernel memory, only if that needs nobody's help (they are mapped anyway) and leaves no
	 * trace that read would; optional. */
	bool (*peek)(struct file *file, void *buf, size_t n, uint64_t off);
	/* Appends when file->flags has O_APPEND or *pos is POS_APPEND; *pos is then the end of what was written. */
	ssize_t_ (*write)(struct file *file, struct iter *from, uint64_t *pos);
	int64_t (*llseek)(struct file *file, int64_t off, int whence); /* default: by inode size; -ESPIPE if no_seek */
	int (*readdir)(struct file *file, struct dir_context *ctx); /* pos_lock and inode->lock held */
	uint32_t (*poll)(struct file *file, struct poll_table *pt); /* EPOLL* bits; default always ready */
	int64_t (*ioctl)(struct file *file, uint32_t cmd, uint64_t arg);
	int (*mmap)(struct file *file, struct vma *vma); /* sets vma->ops, mapping; -ENODEV default */
	int (*fsync)(struct file *file, bool datasync);
	int (*fallocate)(struct file *file, int mode, uint64_t off, uint64_t len);
	/* copy_file_range(2) inside one file system, optional: bytes, or -EXDEV/-EOPNOTSUPP to have them copied. */
	int64_t (*copy_range)(struct file *in, uint64_t in_off, struct file *out, uint64_t out_off, uint64_t len);
	void (*owner_set)(struct file *file); /* somebody may want signals from now on (F_SETOWN); optional */
	int (*show_fdinfo)(struct file *file, char *buf, size_t size); /* extra lines; returns length */
	/* Size of the data a non-socket poll reader waits for, and so on, belongs to ioctl FIONREAD. */
	bool no_seek;
	bool shared_pos; /* processes of the host may move the position: file->pos is only the last that was seen */
};

#define POS_APPEND UINT64_MAX

struct inode {
	ref_t refs;
	uint32_t iflags;             /* INODE_*; inode->lock */
	struct super_block *sb;
	const struct inode_ops *ops;
	const struct file_ops *fops;
	struct mutex lock;
	uint64_t ino;
	uint32_t mode;      /* type and permissions; attributes: inode->lock to change, read racily */
	uint32_t uid, gid, nlink;
	uint64_t size, blocks, rdev;
	struct timespec64 atime, mtime, ctime, btime;
	struct mapping mapping;
	spinlock_t spin;             /* short sections of the owner fs: locks, marks, pipe */
	struct file_lock_ctx *locks; /* fs/locks.c */
	struct list_node marks;      /* inotify */
	struct pipe *pipe;           /* FIFO in use; inode->lock */
	void *socket;                /* bound AF_UNIX socket */
	uint32_t seals;              /* memfd */
	int32_t write_count;         /* > 0: writers, < 0: being executed (ETXTBSY); atomic */
	struct posix_acl *acl, *default_acl; /* fs/posix_acl.c; spin */
	void *private;
	const char *link;            /* a symlink's target when it never changes (kept by the file system), or NULL */
	struct list_node sb_link;
	struct list_node aliases;    /* dentries; spin */
};

#define INODE_DEAD 1u         /* a removed directory: nothing can be created in it */
#define INODE_NO_ATIME 2u
#define INODE_LINKABLE 4u     /* O_TMPFILE without O_EXCL: linkat may give it a name */

/* refs: the count, plus DENTRY_SLOW_PUT while the last put must do more than leave the dentry in the cache (it is not
 * hashed, or DENTRY_NO_CACHE). See fs/dcache.c. */
struct dentry {
	ref_t refs;
	spinlock_t lock;
	struct dentry *parent;    /* itself for a root; changes under rename; dentry->lock */
	struct inode *inode;      /* NULL: negative; dentry->lock to change */
	char *name;               /* dentry->lock */
	uint32_t name_len, hash;
	struct super_block *sb;
	struct dentry *hash_next, **hash_prev; /* hash bucket lock */
	struct list_node child_link;  /* parent's children; dcache tree lock */
	struct list_node children;    /* dcache tree lock */
	struct list_node lru_link;    /* every hashed dentry; dcache tree lock */
	struct list_node alias_link;  /* inode->spin */
	bool referenced;          /* looked up since the shrinker came by; racy hint */
	uint32_t flags;           /* DENTRY_*; dentry->lock */
	uint32_t mounted;         /* mounts on top of it, in any mount; atomic */
	void *private;
	char iname[40];           /* short names live here */
};

#define DENTRY_HASHED   1u
#define DENTRY_DELETED  2u /* unlinked while in use: " (deleted)" */
#define DENTRY_NO_CACHE 4u /* dropped when the last reference goes; set before dentry_instantiate */
#define DENTRY_ANON     8u /* of an anonymous file: no place in any tree */
#define DENTRY_NSFS     16u /* of a namespace: private of the inode is its struct ns_common */
#define DENTRY_SLOW_PUT 0x80000000u

struct super_ops {
	void (*evict_inode)(struct inode *inode);  /* last reference: free private state */
	int (*statfs)(struct super_block *sb, struct hc_statfs *st);
	/* Is a cached dentry still right? 1 yes, 0 no (drop it and look up again). Optional. */
	int (*revalidate)(struct dentry *dentry);
	void (*kill_super)(struct super_block *sb); /* the last reference went: lets go of inodes that it keeps itself. Optional. */
	void (*put_super)(struct super_block *sb);
	int (*show_options)(struct super_block *sb, char *buf, size_t size); /* for /proc/mounts, e.g. ",size=64k" */
	int (*sync)(struct super_block *sb);
	int (*remount)(struct super_block *sb, const char *data); /* new options; default: there are none to change */
};

struct super_block {
	ref_t refs;
	const struct fs_type *type;
	const struct super_ops *ops;
	struct dentry *root;
	uint64_t dev;            /* st_dev */
	uint32_t magic, blocksize;
	uint32_t flags;          /* MS_RDONLY ... of the super block */
	struct user_ns *user_ns; /* whoever has CAP_SYS_ADMIN there may change it; a reference; immutable */
	uint64_t max_bytes;
	struct mutex rename_lock;
	struct list_node inodes; /* lock */
	spinlock_t lock;
	void *private;
};

struct fs_type {
	const char *name;
	bool nodev;              /* for /proc/filesystems */
	bool shows_same;         /* instances show the same: less privileged ones only where one is visible already */
	/* Whose CAP_SYS_ADMIN a new instance needs, and who will own it; default: the initial user namespace's. */
	struct user_ns *(*owner)(void);
	/* mount(2) from inside the sandbox, or from the spec; data: options text. A super block with root, or ERR_PTR. */
	struct super_block *(*mount)(const struct fs_type *type, const char *source, const char *data, uint32_t flags);
};

struct mount {
	ref_t refs;
	int id;                  /* immutable */
	struct mount *parent;    /* mount_lock; NULL: root or detached */
	struct dentry *mountpoint; /* mount_lock */
	struct dentry *root;     /* immutable; a reference */
	struct super_block *sb;
	uint32_t flags;          /* MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME ... per mount */
	char *source;            /* for /proc/mounts */
	struct list_node link;   /* all mounts, in order; mount_lock */
	struct mount *hash_next; /* by (parent, mountpoint); mount_lock */
	struct mnt_ns *ns;       /* mnt_ns_none while it is in no tree; mount_lock */
	/* propagation (mount_namespaces(7)); mount_lock: */
	int group;               /* of peers, if it is shared, else 0 */
	struct list_node peers;  /* ring of them */
	struct mount *master;    /* whose group it receives from; NULL: it is no slave */
	struct list_node slaves, slave_link;
	bool unbindable;
	/* from a more privileged namespace; mount_lock: */
	bool locked;             /* leaves its place only together with what it is mounted on */
	uint32_t locked_flags;   /* MS_* of flags that stay set; MS_RELATIME: the kind of atime stays */
	/* during one operation under mount_lock: */
	struct mount *copy;
	bool leaving;
};

struct file {
	ref_t refs;
	struct path path;        /* references; dentry may be a private one (pipe, socket) */
	struct inode *inode;     /* path.dentry->inode, cached */
	const struct file_ops *ops;
	uint32_t flags;          /* O_* status flags; atomic */
	uint32_t mode;           /* FMODE_* */
	uint64_t pos;            /* protected by pos_lock */
	struct mutex pos_lock;   /* f_pos and directory streams */
	void *private;
	int owner_pid;           /* F_SETOWN; negative: process group */
	bool owner_tid;          /* F_OWNER_TID: that thread alone */
	int owner_sig;           /* F_SETSIG */
	uint32_t owner_uid, owner_euid;
	struct fasync *async;    /* O_ASYNC; fs/fasync.c */
	struct dnotify *dnotify; /* F_NOTIFY; fs/dnotify.c */
	struct list_node epoll_links; /* epoll items that watch this file; epoll's own lock */
	const struct cred *cred; /* at open */
	uint64_t seq;            /* readers of revalidated state: private use by the fs */
};

#define FMODE_READ   1u
#define FMODE_WRITE  2u
#define FMODE_EXEC   4u
#define FMODE_PATH   8u  /* O_PATH */
#define FMODE_STREAM 16u /* no file position (pipes, sockets, ttys) */
#define FMODE_TREE   64u /* O_PATH file that owns a tree of mounts not attached anywhere */
#define FMODE_WRITER 32u /* counted in inode->write_count */

/* SEEK_SET .. SEEK_HOLE by inode size, without holes; for llseek operations that treat only some of them. */
int64_t file_default_llseek(struct file *f, int64_t off, int whence);
/* For directories, which have no end to count from. */
int64_t file_dir_llseek(struct file *f, int64_t off, int whence);

/* ---- inodes and dentries ---- */
struct inode *inode_alloc(struct super_block *sb); /* refs 1, zeroed, locks initialised; NULL */
static inline void inode_get(struct inode *i) { ref_get(&i->refs); }
void inode_put(struct inode *i);
void inode_touch(struct inode *i, uint32_t which); /* ATTR_ATIME|MTIME|CTIME = now */
struct timespec64 time_now(void); /* CLOCK_REALTIME */
/* A read, readdir or readlink happened: updates atime as the mount's flags (noatime, relatime) and O_NOATIME say. For
 * file systems that keep their times themselves; called from their operations. */
void file_accessed(struct file *f);
void path_accessed(const struct path *p);
/* The attributes that inode_ops.setattr stores, applied to the inode (not the size). */
void inode_setattr_copy(struct inode *inode, const struct iattr *attr);
void inode_fill_stat(struct inode *inode, struct kstat *st);
uint64_t ino_alloc(void);      /* unique inode numbers for in-memory file systems */
/* Makes an inode's owner from the current task's fsuid/fsgid and the directory's setgid bit (mknod(2)). */
void inode_init_owner(struct inode *inode, const struct inode *dir, uint32_t mode);

struct dentry *dentry_alloc(struct dentry *parent, const char *name, size_t len); /* unhashed, refs 1 */
struct dentry *dentry_make_root(struct inode *inode);
void dentry_instantiate(struct dentry *d, struct inode *inode); /* takes over the reference; hashes it */
static inline void dentry_get(struct dentry *d) { ref_get(&d->refs); }
void dentry_put(struct dentry *d);
void dentry_drop(struct dentry *d);   /* unhash: later lookups ask the file system */
void dentry_delete(struct dentry *d); /* after unlink or rmdir: becomes unreachable, inode stays for users */
void dentry_move(struct dentry *d, struct dentry *target); /* after rename */
void dentry_exchange(struct dentry *a, struct dentry *b);
/* Looks name up in dir (cached or by the fs); takes dir->lock. A dentry (maybe negative) with a reference or ERR_PTR. */
struct dentry *dentry_lookup(struct dentry *dir, const char *name, size_t len);
struct dentry *dentry_lookup_locked(struct dentry *dir, const char *name, size_t len); /* dir->inode->lock held */
/* Drops unused cached dentries of a file system; returns how many. */
size_t dcache_shrink(struct super_block *sb, size_t keep);

/* Anonymous inode files: pipes, sockets, eventfd, memfd ... name appears in /proc/PID/fd as "anon_inode:[name]" or,
 * when it contains a colon, as "name[ino]". */
struct file *file_anon(const char *name, const struct file_ops *ops, void *private, uint32_t flags);
struct inode *inode_anon(uint32_t mode); /* an inode of the anonymous super block */
struct file *file_from_inode(struct inode *inode, const char *name, const struct file_ops *ops, void *private,
                             uint32_t flags);

/* tmpfs as a building block: devtmpfs, shared memory. data: options as mount(2). */
struct super_block *tmpfs_mount(const struct fs_type *type, const char *source, const char *data, uint32_t flags);
/* An unlinked file of the internal tmpfs (memfd, SysV shm); name as /proc/PID/maps shows it, e.g. "/memfd:x". */
struct file *tmpfs_anon_file(const char *name, uint64_t size, uint32_t mode, uint32_t flags);

/* ---- paths ---- */
#define LOOKUP_FOLLOW     1u  /* follow a final symlink */
#define LOOKUP_DIRECTORY  2u
#define LOOKUP_EMPTY      4u  /* "" means the start */
#define LOOKUP_PARENT     8u  /* stop at the parent; last component in nameidata */
#define LOOKUP_CREATE     16u /* the final component may be negative */
#define LOOKUP_NO_SYMLINKS 32u
#define LOOKUP_NO_MAGICLINKS 64u
#define LOOKUP_NO_XDEV    128u
#define LOOKUP_BENEATH    256u
#define LOOKUP_IN_ROOT    512u
#define LOOKUP_NO_AUTOMOUNT 1024u

#define PATH_MAX_ 4096
/* Resolve a kernel string from dfd (AT_FDCWD or a descriptor). 0 with references in *out, or -errno. */
int path_lookup(int dfd, const char *name, uint32_t flags, struct path *out) MUST_CHECK;
/* Copies the name in first. */
int path_lookup_user(int dfd, uva_t name, uint32_t flags, struct path *out) MUST_CHECK;
/* Resolves all but the last component; last (at least 256 bytes) receives it. trailing slash: -EISDIR rules are the
 * caller's, told by *dir_required. */
int path_lookup_parent(int dfd, const char *name, uint32_t flags, struct path *parent, char *last, bool *dir_required)
	MUST_CHECK;
static inline void path_get(const struct path *p);
void path_put(struct path *p);
/* Absolute name as the current root sees it, into the end of buf; "(unreachable)" prefix as getcwd(2). Pointer into
 * buf or ERR_PTR(-ENAMETOOLONG). */
char *path_name(const struct path *p, char *buf, size_t size);
/* The same without "(unreachable)", as the links and maps of /proc show names. */
/* As path_name, seen from another root. */
char *path_name_from(const struct path *p, const struct path *root, char *buf, size_t size);
char *path_name_unmarked(const struct path *p, char *buf, size_t size);
char *copy_in_path(uva_t name); /* kmalloc'ed, or ERR_PTR(-EFAULT, -ENAMETOOLONG, -ENOENT for "") */
char *copy_in_path_maybe_empty(uva_t name);

/* ---- operations with all checks of the system call; used by syscalls, exec, container start ---- */
#define MAY_EXEC  1
#define MAY_WRITE 2
#define MAY_READ  4
int inode_permission(struct inode *inode, int mask) MUST_CHECK; /* with fsuid; not the mount's flags */
int path_permission(const struct path *p, int mask) MUST_CHECK; /* also EROFS, EACCES of noexec */
struct file *vfs_open(int dfd, const char *name, uint32_t flags, uint32_t mode, uint32_t lookup_flags);
struct file *vfs_open_path(const struct path *p, uint32_t flags); /* an existing object */
#define O_FOR_EXEC 0x20u /* vfs_open_path: checks execute instead of read permission */
int vfs_mkdir(int dfd, const char *name, uint32_t mode);
int vfs_mknod(int dfd, const char *name, uint32_t mode, uint64_t dev, struct path *out); /* out may be NULL */
int vfs_setattr(const struct path *p, struct iattr *attr); /* permission checks of chmod, chown, utimes, truncate */
ssize_t_ vfs_read(struct file *f, struct iter *to, uint64_t *pos);    /* pos NULL: file position */
ssize_t_ vfs_write(struct file *f, struct iter *from, uint64_t *pos);
ssize_t_ file_read_kernel(struct file *f, void *buf, size_t n, uint64_t off);
ssize_t_ file_write_kernel(struct file *f, const void *buf, size_t n, uint64_t off);
int inode_deny_write(struct inode *inode);  /* exec: -ETXTBSY if open for writing */
void inode_allow_write(struct inode *inode);

static inline void file_get(struct file *f) { ref_get(&f->refs); }
void file_put(struct file *f);
struct file *file_alloc(void);

/* ---- mounts ---- */
extern spinlock_t mount_lock;
struct mnt_ns {
	struct ns_common ns;     /* of a tree that is attached nowhere: its count only */
	struct list_node all;    /* every real one; mount_lock */
	uint32_t nr_mounts;      /* mount_lock */
	struct mount *root;
	struct list_node mounts; /* mount_lock */
	struct wait_queue wait;  /* poll on /proc/mounts */
	uint32_t seq;
};
extern struct mnt_ns mnt_ns0, mnt_ns_none; /* of the first container; of mounts in no tree */
extern struct list_node mnt_namespaces;   /* mount_lock */
#define MOUNTS_MAX 4096u                  /* in one namespace */
/* May programs of m give ids and capabilities to the current task? Not those of other mount namespaces, nor of file
 * systems of user namespaces that it is not in. */
bool mount_may_suid(const struct mount *m);
/* Is p the root of the current mount namespace? */
bool mount_is_ns_root(const struct path *p);
const struct fs_type *fs_type_find(const char *name);
extern const struct fs_type *const fs_types[]; /* NULL-terminated; fs/fs_types.c */
/* Mounts sb at a path (NULL: becomes the root). Takes over the super block's reference. */
int mount_attach(struct super_block *sb, const struct path *at, uint32_t flags, const char *source);
int vfs_mount(const char *source, const struct path *at, const char *type, uint32_t flags, const char *data);

/* ---- per-task: descriptors, cwd, root, umask ---- */
struct fs_context {
	ref_t refs;
	spinlock_t lock;
	struct path root, cwd; /* lock */
	uint32_t umask;
};
struct fs_context *fs_context_create(void); /* at the root of the current mount namespace, if it has one */
struct fs_context *fs_context_create_in(struct mnt_ns *ns);
struct fs_context *fs_context_copy(struct fs_context *fs);
/* Root and working directory become the root of the current mount namespace, as seen from the top. */
void fs_enter_ns_root(struct fs_context *fs);
void fs_context_put(struct fs_context *fs);
void fs_get_root(struct path *out); /* of the current task, with references */
void fs_get_cwd(struct path *out);

struct files; /* descriptor table, fs/fd_table.c */
struct files *files_create(void);
struct files *files_copy(struct files *f);
void files_put(struct files *f);
struct files *files_get(struct files *f);
bool files_shared(const struct files *f); /* more than one user */
void files_close_on_exec(struct files *f);
/* The open file with a reference, or NULL (EBADF; O_PATH files only with fd_get_path). */
struct file *fd_get(int fd);
struct file *fd_get_path(int fd);
struct file *files_lookup(struct files *f, int fd); /* of another task; reference */
int files_next_fd(struct files *f, int from);       /* lowest open fd >= from, or -1 */
bool files_get_cloexec(struct files *f, int fd);
/* Reserve the lowest free number >= min (EMFILE), then install (consumes the reference) or release it. */
int fd_reserve(int min) MUST_CHECK;
void fd_install(int fd, struct file *file, bool cloexec);
void fd_release(int fd);
/* reserve + install; on error puts the file. */
int fd_publish(struct file *file, bool cloexec) MUST_CHECK;

/* A super block with one reference, locks initialised, a device number of its own and 4096-byte blocks; NULL: out of
 * memory. super_put drops it (and then its root, inodes and put_super). */
struct super_block *super_alloc(const struct fs_type *type, const struct super_ops *ops, uint32_t magic);
/* That of an internal file system without a root, made by whoever needs it first and kept in *slot for ever. */
struct super_block *super_once(struct super_block **slot, const struct fs_type *type, const struct super_ops *ops,
                               uint32_t magic);
static inline void super_get(struct super_block *sb) { ref_get(&sb->refs); }
void super_put(struct super_block *sb);

void vfs_init(void);

static inline void path_get(const struct path *p);
void mount_get(struct mount *m);
void mount_put(struct mount *m);
static inline void path_get(const struct path *p)
{
	mount_get(p->mnt);
	dentry_get(p->dentry);
}

/* fs/notify.c (inotify): hooks called by the VFS. mask: IN_* */
void notify_inode(struct inode *inode, uint32_t mask);
void notify_dentry(struct dentry *d, uint32_t mask); /* the parent's watchers and the inode's */
void notify_file(struct file *f, uint32_t mask);   /* the same, for what happens through an open file */
void notify_deleted(struct dentry *d); /* its name is gone; the caller has a reference */
void notify_move(struct inode *old_dir, const char *old_name, struct inode *new_dir, const char *new_name,
                 struct inode *moved);

#endif
