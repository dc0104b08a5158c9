// SPDX-License-Identifier: Apache-2.0
/* Privileges of the sandbox process. */
#include "vmm/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include "vmm/vmm_impl.h"

/* What file operations on behalf of any user of the container need (directfs): owners and modes. Device nodes and extended
 * attributes are the gofer's. */
static const unsigned file_caps[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID };

/* Ports below 1024, where the network namespace was made for this sandbox. */
static const unsigned net_caps[] = { CAP_NET_BIND_SERVICE };

/* By the system calls themselves: libcap-ng would make 250 of them here, in each start of a sandbox. */
static int drop_capabilities(bool directfs, bool host_network)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = { 0 };
	uint64_t have, keep = 0;

	if (syscall(SYS_capget, &h, d)) {
		vmm_log(LOG_ERR, "cannot read this process's capabilities: %s", strerror(errno));
		return -EPERM;
	}
	have = d[0].effective | (uint64_t)d[1].effective << 32;
	if (!(have | d[0].permitted | d[1].permitted | d[0].inheritable | d[1].inheritable))
		return 0;
	for (unsigned i = 0; directfs && i < sizeof(file_caps) / sizeof(file_caps[0]); i++)
		keep |= 1UL << file_caps[i];
	for (unsigned i = 0; host_network && i < sizeof(net_caps) / sizeof(net_caps[0]); i++)
		keep |= 1UL << net_caps[i];
	keep &= have;
	/* EINVAL: the kernel knows no more. */
	for (unsigned c = 0; have & 1UL << CAP_SETPCAP && !prctl(PR_CAPBSET_DROP, c, 0, 0, 0); c++)
		;
	d[0] = (struct __user_cap_data_struct){ .effective = (uint32_t)keep, .permitted = (uint32_t)keep };
	d[1] = (struct __user_cap_data_struct){ .effective = keep >> 32, .permitted = keep >> 32 };
	if ((have & 1UL << CAP_SETPCAP && errno != EINVAL) || syscall(SYS_capset, &h, d)) {
		vmm_log(LOG_ERR, "cannot drop capabilities: %s", strerror(errno));
		return -EPERM;
	}
	return 0;
}

int sandbox_drop_privileges(bool directfs, bool host_network)
{
	int rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	rc = drop_capabilities(directfs, host_network);
	if (rc)
		return rc;
	/* None may come back with an execve; unknown to old kernels. */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return 0;
}
