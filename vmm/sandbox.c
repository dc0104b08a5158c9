// SPDX-License-Identifier: Apache-2.0
/* Privileges of the sandbox process. */
#include "vmm/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <syslog.h>

#include "vmm/vmm_impl.h"

/* What file operations on behalf of any user of the container need (directfs): owners and modes. Device nodes and extended
 * attributes are the gofer's. */
static const unsigned file_caps[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID };

/* Ports below 1024, where the network namespace was made for this sandbox. */
static const unsigned net_caps[] = { CAP_NET_BIND_SERVICE };

static int drop_capabilities(bool directfs, bool host_network)
{
	bool keep[CAP_LAST_CAP + 1] = { false };
	capng_select_t which;

	if (capng_get_caps_process()) {
		vmm_log(LOG_ERR, "cannot read this process's capabilities");
		return -EPERM;
	}
	if (capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE)
		return 0;
	for (unsigned i = 0; directfs && i < sizeof(file_caps) / sizeof(file_caps[0]); i++)
		keep[file_caps[i]] = capng_have_capability(CAPNG_EFFECTIVE, file_caps[i]);
	for (unsigned i = 0; host_network && i < sizeof(net_caps) / sizeof(net_caps[0]); i++)
		keep[net_caps[i]] = capng_have_capability(CAPNG_EFFECTIVE, net_caps[i]);
	which = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS;
	capng_clear(which);
	for (unsigned c = 0; c <= CAP_LAST_CAP; c++)
		if (keep[c])
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, c);
	if (capng_apply(which)) {
		vmm_log(LOG_ERR, "cannot drop capabilities");
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
