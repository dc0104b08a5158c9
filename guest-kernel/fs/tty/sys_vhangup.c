/* SPDX-License-Identifier: Apache-2.0 */
/* vhangup(2): hangs up the controlling terminal of the caller. */
#include "fs/tty/tty.h"
#include "syscall/syscall.h"
#include "task/task.h"

int64_t sys_vhangup(const struct sysargs *a)
{
	if (!capable(CAP_SYS_TTY_CONFIG))
		return -EPERM;
	spin_lock(&tasklist_lock);
	struct tty *t = current->proc->tty;
	if (t)
		tty_get(t);
	spin_unlock(&tasklist_lock);
	if (t) {
		tty_hangup(t);
		tty_put(t);
	}
	return 0;
}
