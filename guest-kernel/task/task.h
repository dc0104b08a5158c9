/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks (threads), processes (thread groups), process groups and sessions.
 *
 * Locks: tasklist_lock (spinlock) protects the tree: parent, children, threads, pgid, sid, the pid table, and exit
 * states. The list of threads changes under tasklist_lock and proc->sig.lock together, so either suffices to walk it;
 * threads that have begun to exit are not on it. A process is freed when its last task is reaped and the last reference
 * is put. References: task_get and task_put, process_get and process_put.
 */
#ifndef TASK_TASK_H
#define TASK_TASK_H

#include <linux/resource.h>

#include "arch/cpu.h"
#include "lib/atomic.h"
#include "lib/list.h"
#include "signal/signal_types.h"
#include "task/container.h"
#include "task/cred.h"
#include "task/pid.h"
#include "task/ptrace.h"
#include "task/sched.h"
#include "task/wait_queue.h"
#include "time/timer.h"

struct mm;
struct files;
struct fs_context;
struct tty;
struct file;

#define TASK_COMM_LEN 16

struct task {
	struct user_context uc;         /* own task only, or while it is stopped */
	struct task_sched sched;
	void *kstack;                   /* base of the stack */
	ref_t refs;
	int tid;                        /* an id (task/pid.h); changes only when a non-leader execs; 0: kernel task */
	int vtid;                       /* its number in its own pid namespace */
	struct process *proc;           /* immutable; kernel tasks: the kernel's own process, pid 0 */
	struct list_node thread_link;   /* on proc->threads; tasklist_lock and sig.lock */
	char comm[TASK_COMM_LEN];       /* written by the task itself, read racily */

	/* Own task only writes; others read under task_lock. */
	spinlock_t lock;                /* "task_lock": mm, files, fs, cred, nsproxy pointers */
	struct mm *mm;                  /* NULL for kernel tasks and after exit_mm */
	struct files *files;
	struct fs_context *fs;
	const struct cred *cred;        /* replaced whole, never edited */
	struct nsproxy *nsproxy;        /* NULL after exit */

	struct task_signal sig;         /* signal/ */
	struct task_ptrace ptrace;      /* task/ptrace.h */
	struct waiter *poll_waiter;

	uint64_t set_child_tid, clear_child_tid; /* user addresses */
	uint64_t robust_list, robust_list_len;
	uint64_t rseq_addr;
	uint32_t rseq_len, rseq_sig;
	uint32_t personality;
	bool is_kthread;
	bool in_exec;
	bool exited;                    /* left proc->threads; tasklist_lock */
	void (*kthread_fn)(void *);     /* kernel tasks */
	void *kthread_arg;
	struct task *vfork_parent;      /* who sleeps until this task execs or exits (a reference); atomic */
	void *fpu_area;                 /* what was allocated for uc.fpu */
	uint32_t pdeath_signal;         /* prctl(PR_SET_PDEATHSIG) */
	uint32_t ioprio;
	int32_t rseq_cpu;               /* vCPU last written to the rseq area, -1 none */
	bool rseq_event;                /* preempted, migrated or registered since it last entered ring 3: rseq_update is due */
	uint32_t seccomp_mode;          /* 0, SECCOMP_MODE_STRICT, SECCOMP_MODE_FILTER */
	struct seccomp_filter *seccomp; /* newest filter, a reference; own task only, or under tasklist_lock */
	bool no_new_privs;              /* never cleared; another thread sets it under tasklist_lock (TSYNC) */
	bool tsc_sigsegv;               /* prctl(PR_SET_TSC) */
	int exit_code;                  /* wait status when this task exits alone */
	uint64_t start_ns;              /* as clock_since_start, which /proc/uptime and btime count from */
	uint64_t timer_slack_ns;
	uint64_t min_flt, maj_flt;
	struct list_node *unix_freeing; /* net/unix_msg.c: messages to free once the present one is; own task only */
	uint64_t rchar, wchar, syscr, syscw; /* bytes and calls of read(2) and write(2), for /proc/PID/io */
	uint64_t fault_addr, fault_rip; /* mm/fault.c: the last fault of unknown kind that changed nothing */
	struct list_node *dropped_msgs; /* net/unix_gc.c: messages whose files are being put, by this task */
	uint64_t efault_rip;            /* mm/window_efault.c: where a frame could not be read a moment ago, or 0 */
	uint32_t fault_repeat;
	bool fault_spurious;            /* the last fault changed nothing */

	/* system call in progress */
	int64_t syscall_nr;             /* of the last trap; -1: it was none, or the call is not to be restarted */
	int64_t (*restart_fn)(struct task *t);  /* ERESTART_RESTARTBLOCK */
	uint64_t restart_data[6];
	void *futex_state;              /* signal/… see task/futex.c: PI state held */
	struct list_node pi_held;       /* futex PI locks owned */
	char *refusal;                  /* container_refuse: why a container's program cannot be started */
};

struct process {
	ref_t refs;
	int pid;                        /* tgid, an id (task/pid.h); immutable */
	int vpid;                       /* its number in its own pid namespace; immutable */
	struct pid_ns *pid_ns;          /* where its number is; numbers holds it; immutable */
	struct pid *numbers;            /* of pid, a reference; immutable */
	struct list_node threads;       /* tasklist_lock */
	int nr_threads;                 /* live ones; tasklist_lock */
	struct task *leader;            /* tasklist_lock; changes on exec by a non-leader */
	struct process *parent;         /* tasklist_lock; set by process_set_parent */
	int parent_vpid;                /* the parent's number in this process's pid namespace; tasklist_lock, read racily */
	int parent_tid;                 /* the thread of the parent that it belongs to; tasklist_lock */
	struct list_node children;      /* tasklist_lock */
	struct list_node sibling;       /* tasklist_lock */
	struct list_node all_link;      /* list of all processes; tasklist_lock */
	int pgid, sid;                  /* tasklist_lock */
	bool session_leader;
	struct tty *tty;                /* controlling terminal; tasklist_lock */
	bool exiting;                   /* exit_group has begun; tasklist_lock */
	bool zombie;                    /* waiting for wait4; tasklist_lock */
	bool did_exec;
	bool child_subreaper;
	int exit_signal;                /* sent to the parent; SIGCHLD for fork */
	int exit_status;                /* wait status; tasklist_lock */
	int stop_code;                  /* signal that stopped it, for WUNTRACED; 0 none or reported; tasklist_lock */
	bool continued;                 /* for WCONTINUED */
	struct wait_queue child_wait;   /* parents in wait4 sleep here */
	struct process_signal sig;      /* signal/: handlers, shared pending, group stop */
	struct process_timers timers;   /* time/: itimers, POSIX timers */
	struct rlimit64 rlim[RLIM_NLIMITS]; /* tasklist_lock to change, read racily */
	struct file *exe;               /* /proc/self/exe */
	int oom_score_adj;
	struct rusage_acc {
		uint64_t utime_ns, stime_ns, min_flt, maj_flt, nvcsw, nivcsw, maxrss_kib, inblock, oublock, rchar, wchar,
		    syscr, syscw;
	} self, children_acc;           /* of exited threads; of reaped children; tasklist_lock */
	uint64_t start_ns;
	struct container *container;    /* a reference; immutable */
	bool from_host;                 /* started by the host, after the container; immutable */
	bool watched;                   /* control_watch.c is to hear of its end; atomic, set only */
	struct task *exec_task;         /* thread that execs and waits for the others to leave; tasklist_lock */
	uint32_t execs;                 /* threads between the check of a new program's rights and its start; tasklist_lock */
	struct wait_queue exit_wait;    /* exec waits for threads, pidfd pollers for the end, who attaches for exec */
	bool reaped;                    /* unlinked from the tree; tasklist_lock */
	bool autoreap;                  /* SIGCHLD is ignored by the parent: no zombie */
	int reboot_signal;              /* of an init: what reboot(2) makes its parent see; tasklist_lock */
	bool thp_disable;
	bool mce_kill_default;
};

extern struct process kernel_process; /* of kernel tasks and idle tasks; on no list */

extern spinlock_t tasklist_lock;
extern struct list_node process_list; /* all processes, pid order of creation; tasklist_lock */

static inline void task_get(struct task *t) { ref_get(&t->refs); }
void task_put(struct task *t);
static inline void process_get(struct process *p) { ref_get(&p->refs); }
void process_put(struct process *p);

/* Lookups take tasklist_lock and return a reference, or NULL. By id: */
struct task *task_find(int tid);
struct process *process_find(int pid);
/* By a number of a pid namespace, and of the current process's. */
struct task *task_find_ns(int nr, const struct pid_ns *ns);
struct process *process_find_ns(int nr, const struct pid_ns *ns);
struct task *task_find_user(int nr);
struct process *process_find_user(int nr);
/* The same with tasklist_lock held and without a reference. */
struct task *task_lookup(int tid);
struct process *process_lookup(int pid);
struct task *task_lookup_user(int nr);

/* Does any process belong to the group? tasklist_lock held. */
bool pgrp_exists(int pgid);
/* Has the group no member whose parent is in the same session but another group (setpgid(2), orphaned)? ignored: a
 * process to leave out, or NULL. tasklist_lock held. */
bool pgrp_is_orphaned(int pgid, const struct process *ignored);

/* Names for /proc: */
static inline struct process *current_process(void) { return current->proc; }

/* Resource limits of the current process. */
uint64_t rlimit_cur(unsigned resource);

/* task_clone.c: flags as clone3(2). Returns the child's tid or -errno. */
struct clone_params {
	uint64_t flags, child_tid, parent_tid, stack, stack_size, tls, pidfd, set_tid, set_tid_size, cgroup;
	int exit_signal;
};
int64_t task_clone(const struct clone_params *p);

/* task_exit.c */
NORETURN void task_exit(int wait_status);        /* this thread only */
NORETURN void task_exit_group(int wait_status);  /* the whole process */
/* Kills every other thread of the current process and waits until they are gone (exec); the current task becomes the
 * leader. -EAGAIN if the process is ending or another thread execs. */
int task_zap_others(void) MUST_CHECK;
/* The current task stops using its memory (exec, exit): robust futexes, clear_child_tid. May sleep. */
void task_leave_memory(struct task *t);
/* Unlinks a zombie that was waited for; tasklist_lock held. The caller puts the process afterwards (the tree's
 * reference), and the task that is returned. */
struct task *process_unlink(struct process *p) MUST_CHECK;
/* The same for many: onto a list, which process_put_dead puts without the lock. */
void process_unlink_to(struct process *p, struct list_node *dead);
void process_put_dead(struct list_node *dead);
/* What the current, leaving task traces goes on; what of it has ended is its parent's affair. */
void task_release_tracees(void);
/* CPU times and counters of a process so far, all threads; tasklist_lock held. */
void process_usage(const struct process *p, struct rusage_acc *out);
void rusage_add(struct rusage_acc *to, const struct rusage_acc *from);
/* task.c: an unlinked task with a stack, FPU area and one reference; NULL: no memory. */
struct task *task_alloc(void);
/* With one reference; takes another one on the container. */
struct process *process_alloc(struct container *c);
/* A task that was never linked, and its process if that is its own; not its charge. */
void task_discard(struct task *t);
/* Numbers for a new task in ns (pid_alloc); and the process that a task with numbers will lead takes them over. */
int task_set_tid(struct task *t, struct pid_ns *ns, const int *set, uint32_t n) MUST_CHECK;
void process_set_pid(struct process *p, struct task *leader);
/* The FPU state that a new program starts with; the task's own, live nowhere. */
void task_fpu_reset(struct task *t);
/* Takes the FPU state from the registers into memory; current task only. */
void task_fpu_save(void);
/* Nobody needs it any more; current task only. */
void task_fpu_drop(void);
/* Links a new process under its parent and its leader's number; tasklist_lock held. */
void process_link(struct process *p, struct process *parent);
void process_set_parent(struct process *p, struct process *parent); /* tasklist_lock held */
void task_link(struct task *t); /* tasklist_lock and sig.lock held */

/* Wakes a parent suspended by vfork. */
void task_vfork_done(struct task *t);
/* Called with tasklist_lock held: tell the parent about a stop or continue (CLD_STOPPED, CLD_CONTINUED). Sends SIGCHLD
 * with the lock held: signal_send_* must not take tasklist_lock. */
void process_notify_parent(struct process *p, int code, int status);
/* The same about its end; sets autoreap. */
void process_notify_exit(struct process *p);

/* task_exec.c: replaces the current program. path is resolved by the caller into an executable file. */
struct exec_args {
	char **argv, **envp;  /* kernel copies, NULL-terminated */
	int argc, envc;
	const char *filename; /* as given, for AT_EXECFN, comm and #! */
	struct file *file;    /* from exec_file_open; task_exec takes it over */
	char *interp_name;    /* of the last #! line, owned; task/exec_file.c */
	bool fd_hidden;       /* filename is /dev/fd/N of a descriptor that exec closes: no script can be read by name */
};
/* argv is rewritten for scripts; the caller frees what is left with exec_args_free. 0: the
 * current task runs the new program when it next enters ring 3. -errno: nothing happened. After the point of no return
 * a failure kills the process. */
int task_exec(struct exec_args *a) MUST_CHECK;

#endif
