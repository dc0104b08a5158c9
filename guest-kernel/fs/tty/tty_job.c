// SPDX-License-Identifier: Apache-2.0
/*
 * Terminals and job control (credentials(7), tty_ioctl(4), termios(3)): the controlling terminal of a session, its
 * foreground process group, and who may read, write and change it.
 *
 * tasklist_lock protects tty->session, tty->pgrp and process->tty. A session that has a terminal holds one reference
 * on it; the processes of the session share that pointer.
 */
#include "fs/tty/tty.h"

#include <asm/ioctls.h>
#include <linux/fs.h>

#include "signal/signal.h"
#include "task/task.h"

static void send_pgrp(int pgid, int signo)
{
	siginfo_t si;
	if (pgid <= 0)
		return;
	siginfo_kernel(&si, signo);
	(void)!signal_send_pgrp(pgid, &si);
}

void tty_signal_pgrp(struct tty *t, int signo)
{
	spin_lock(&tasklist_lock);
	int pgid = t->pgrp;
	spin_unlock(&tasklist_lock);
	send_pgrp(pgid, signo);
}

int tty_check_change(struct tty *t, int sig)
{
	struct process *p = current->proc;
	spin_lock(&tasklist_lock);
	int pgid = p->pgid;
	bool ours = p->tty == t && t->pgrp && t->pgrp != pgid;
	bool orphaned = ours && pgrp_is_orphaned(pgid, NULL);
	spin_unlock(&tasklist_lock);
	if (!ours)
		return 0;
	if ((current->sig.blocked & SIGBIT(sig)) || signal_is_ignored(p, sig))
		return sig == SIGTTIN ? -EIO : 0;
	if (orphaned)
		return -EIO;
	send_pgrp(pgid, sig);
	return -ERESTARTSYS;
}

/* Every process of the session loses its terminal; tasklist_lock held. */
static void clear_session(int sid)
{
	struct process *p;
	list_for_each_entry(p, &process_list, all_link)
		if (p->sid == sid)
			p->tty = NULL;
}

int tty_set_controlling(struct tty *t, bool force)
{
	struct process *p = current->proc;
	bool steal = force && capable(CAP_SYS_ADMIN);
	int old_session = 0, r = 0;
	spin_lock(&tasklist_lock);
	if (p->session_leader && p->tty == t && t->session == p->sid) {
		/* It is that already. */
	} else if (!p->session_leader || p->tty) {
		r = -EPERM;
	} else if (t->session && !steal) {
		r = -EPERM;
	} else {
		old_session = t->session;
		if (old_session)
			clear_session(old_session);
		else
			tty_get(t);
		t->session = p->sid;
		t->pgrp = p->pgid;
		p->tty = t;
	}
	spin_unlock(&tasklist_lock);
	return r;
}

void tty_become_controlling(struct file *file)
{
	if (tty_is_tty_file(file))
		(void)!tty_set_controlling(file_tty(file), false);
}

/* The session gives t up. Returns the groups to tell: that of the leader and the one in the foreground. */
static bool detach_session(struct tty *t, int *leader_pgrp, int *fg_pgrp)
{
	struct process *p;
	spin_lock(&tasklist_lock);
	int sid = t->session;
	*leader_pgrp = 0;
	*fg_pgrp = t->pgrp;
	if (sid) {
		list_for_each_entry(p, &process_list, all_link)
			if (p->sid == sid && p->session_leader && p->tty == t)
				*leader_pgrp = p->pgid;
		clear_session(sid);
		t->session = 0;
		t->pgrp = 0;
	}
	spin_unlock(&tasklist_lock);
	return sid != 0;
}

void tty_session_hangup(struct tty *t)
{
	int leader, fg;
	if (!detach_session(t, &leader, &fg))
		return;
	send_pgrp(leader, SIGHUP);
	send_pgrp(leader, SIGCONT);
	if (fg != leader) {
		send_pgrp(fg, SIGHUP);
		send_pgrp(fg, SIGCONT);
	}
	tty_put(t);
}

void tty_session_exit(struct process *p)
{
	spin_lock(&tasklist_lock);
	struct tty *t = p->session_leader ? p->tty : NULL;
	if (t && t->session != p->sid)
		t = NULL;
	if (t)
		tty_get(t);
	else
		p->tty = NULL;
	spin_unlock(&tasklist_lock);
	if (!t)
		return;
	int leader, fg;
	if (!t->is_pty) {
		tty_hangup(t); /* like vhangup(2): whoever still has it open is cut off */
	} else if (detach_session(t, &leader, &fg)) {
		send_pgrp(fg, SIGHUP);
		tty_put(t); /* the session's */
	}
	tty_put(t);
}

static int give_up(struct tty *t)
{
	struct process *p = current->proc;
	spin_lock(&tasklist_lock);
	bool has = p->tty == t, leader = p->session_leader && t->session == p->sid;
	int fg = t->pgrp;
	if (has && !leader)
		p->tty = NULL;
	if (has && leader) {
		clear_session(p->sid);
		t->session = 0;
		t->pgrp = 0;
	}
	spin_unlock(&tasklist_lock);
	if (!has)
		return -ENOTTY;
	if (leader) {
		send_pgrp(fg, SIGHUP);
		send_pgrp(fg, SIGCONT);
		tty_put(t);
	}
	return 0;
}

static int64_t set_foreground(struct tty *t, uint64_t arg)
{
	int32_t pgid;
	int r = tty_check_change(t, SIGTTOU);
	if (r)
		return r == -EIO ? -ENOTTY : r;
	if (copy_in(&pgid, uva(arg), sizeof(pgid)))
		return -EFAULT;
	if (pgid < 0)
		return -EINVAL;
	struct process *p = current->proc, *m;
	pgid = pid_from_user(pgid);
	spin_lock(&tasklist_lock);
	if (p->tty != t || t->session != p->sid) {
		r = -ENOTTY;
	} else {
		r = -ESRCH;
		list_for_each_entry(m, &process_list, all_link) {
			if (m->pgid == pgid) {
				r = m->sid == p->sid ? 0 : -EPERM;
				break;
			}
		}
	}
	if (!r)
		t->pgrp = pgid;
	spin_unlock(&tasklist_lock);
	return r;
}

int64_t tty_job_ioctl(struct tty *t, struct tty *ours, uint32_t cmd, uint64_t arg)
{
	int32_t value;
	switch (cmd) {
	case TIOCSCTTY:
		return tty_set_controlling(t, arg == 1); /* through its master: the slave */
	case TIOCNOTTY:
		return ours ? give_up(t) : -ENOTTY;
	case TIOCSPGRP:
		return set_foreground(t, arg);
	case TIOCGPGRP:
	case TIOCGSID:
		/* A pty master may ask about its slave; others about their own terminal only. */
		spin_lock(&tasklist_lock);
		value = pid_vnr(cmd == TIOCGSID ? t->session : t->pgrp);
		bool allowed = !ours || current->proc->tty == t;
		if (cmd == TIOCGSID && !t->session)
			allowed = false;
		spin_unlock(&tasklist_lock);
		return allowed ? copy_out(uva(arg), &value, sizeof(value)) : -ENOTTY;
	default:
		return -ENOIOCTLCMD;
	}
}
