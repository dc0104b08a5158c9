/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the proc file system share. Text formats are those of proc(5). */
#ifndef FS_PROC_PROC_H
#define FS_PROC_PROC_H

#include "fs/pseudo.h"
#include "task/task.h"

#define FILE_RO  (S_IFREG | 0444)
#define FILE_RW  (S_IFREG | 0644)
#define FILE_OWN (S_IFREG | 0400)
#define DIR_RX   (S_IFDIR | 0555)
#define LINK     (S_IFLNK | 0777)

extern const struct pseudo_entry proc_pid_dir;      /* /proc/PID */
extern const struct pseudo_entry proc_misc_files[]; /* /proc/meminfo ...; proc_misc.c */
extern const struct pseudo_entry proc_sys_dir;      /* /proc/sys; proc_sys.c */
extern const struct pseudo_entry proc_sys_user_files[]; /* /proc/sys/user; proc_sys_user.c */
extern const struct pseudo_entry proc_net_files[];  /* /proc/net; proc_net.c */

/* The pid namespace whose numbers a mounted proc shows: that of who mounted it. */
static inline struct pid_ns *proc_pid_ns(const struct pseudo_ref *ref) { return ref->sb->private; }
static inline int proc_nr(const struct pseudo_ref *ref, int id) { return pid_nr_ns(id, proc_pid_ns(ref)); }

/* References of a task's parts, or NULL. Release with mm_put, files_put, fs_context_put. */
struct mm *proc_task_mm(struct task *t);
struct files *proc_task_files(struct task *t);
struct fs_context *proc_task_fs(struct task *t);
/* The same if the current task may look at them (-EACCES), asked and taken at once: see ptrace_get_mm. */
struct mm *proc_access_mm(struct task *t);
struct files *proc_access_files(struct task *t);
/* ptrace-like access check (ptrace(2), "Ptrace access mode checking"): 0 or -EACCES. */
int proc_may_access(struct task *t);
/* Sum of CPU times over live and exited threads. */
void proc_cpu_times(struct process *p, uint64_t *utime_ns, uint64_t *stime_ns);

/* The first number of text as files of /proc/sys take it: digits of base 10, 8 or 16, between blanks. Its magnitude goes to
 * *out; how much of text it and the blanks around it are, or -EINVAL. */
ssize_t_ proc_sys_number(const char *text, size_t len, bool *negative, uint64_t *out);
/* The number that a file of /proc/sys which only stores its value has, by the file's name; 0 if it is none. */
uint64_t proc_sys_value(const char *name);

/* ns to USER_HZ ticks */
#define NS_PER_TICK 10000000ULL

/* show functions by file */
int proc_show_maps(struct seq *s, const struct pseudo_ref *ref);
int proc_show_smaps(struct seq *s, const struct pseudo_ref *ref);
int proc_show_smaps_rollup(struct seq *s, const struct pseudo_ref *ref);
int proc_show_statm(struct seq *s, const struct pseudo_ref *ref);
int proc_show_stat(struct seq *s, const struct pseudo_ref *ref);
int proc_show_task_stat(struct seq *s, const struct pseudo_ref *ref);
int proc_show_status(struct seq *s, const struct pseudo_ref *ref);
int proc_show_limits(struct seq *s, const struct pseudo_ref *ref);
int proc_show_mounts(struct seq *s, const struct pseudo_ref *ref);
int proc_show_mountinfo(struct seq *s, const struct pseudo_ref *ref);
int proc_show_mountstats(struct seq *s, const struct pseudo_ref *ref);
struct ns_common *proc_hold_mounts(const struct pseudo_ref *ref);
uint32_t proc_poll_mounts(struct file *file, struct poll_table *pt, uint32_t *seen);
extern const struct file_ops proc_mem_fops;
/* proc_idmap.c */
int proc_show_uid_map(struct seq *s, const struct pseudo_ref *ref);
int proc_show_gid_map(struct seq *s, const struct pseudo_ref *ref);
int proc_show_projid_map(struct seq *s, const struct pseudo_ref *ref);
int proc_show_setgroups(struct seq *s, const struct pseudo_ref *ref);
ssize_t_ proc_store_uid_map(const struct pseudo_ref *ref, struct file *file, char *text, size_t len);
ssize_t_ proc_store_gid_map(const struct pseudo_ref *ref, struct file *file, char *text, size_t len);
ssize_t_ proc_store_projid_map(const struct pseudo_ref *ref, struct file *file, char *text, size_t len);
ssize_t_ proc_store_setgroups(const struct pseudo_ref *ref, struct file *file, char *text, size_t len);
/* proc_fd.c: /proc/PID/fd and fdinfo; proc_ns.c: ns */
int proc_fd_lookup(const struct pseudo_ref *dir, const char *name, size_t len, struct pseudo_ref *out);
int proc_fdinfo_lookup(const struct pseudo_ref *dir, const char *name, size_t len, struct pseudo_ref *out);
bool proc_fd_next(const struct pseudo_ref *dir, uint64_t *cookie, char *name, unsigned *type);
int proc_ns_lookup(const struct pseudo_ref *dir, const char *name, size_t len, struct pseudo_ref *out);
bool proc_ns_next(const struct pseudo_ref *dir, uint64_t *cookie, char *name, unsigned *type);

#endif
