// SPDX-License-Identifier: Apache-2.0
/*
 * Requests about network interfaces, on any socket (netdevice(7)): answered for lo here, or by the host with
 * --network=host. Interfaces cannot be changed.
 */
#include <linux/sockios.h>

#include "boot/boot.h"
#include "lib/string.h"
#include "net/host_sock.h"
#include "net/netlink.h"
#include "net/sys_socket.h"
#include "task/task.h"
#include "task/user_ns.h"

#define IFCONF_ROOM (64 * sizeof(struct ifreq_))
#define LO_IF_FLAGS 0x49 /* IFF_UP, LOOPBACK, RUNNING */

/* struct ifreq and struct ifconf: <linux/if.h> wants libc. */
struct ifreq_ {
	char name[16];
	union {
		struct {
			uint16_t family, port;
			uint32_t addr;
		} in;
		int number;
		int16_t flags;
		uint8_t bytes[24];
	};
};
_Static_assert(sizeof(struct ifreq_) == 40, "struct ifreq");

struct ifconf_ {
	int len, pad;
	uint64_t buf;
};

static void put_address(struct ifreq_ *r, uint32_t addr)
{
	memset(r->bytes, 0, sizeof(r->bytes));
	r->in.family = AF_INET;
	r->in.addr = addr;
}

static int64_t about_lo(uint32_t cmd, struct ifreq_ *r)
{
	if (cmd == SIOCGIFNAME) {
		if (r->number != LO_INDEX)
			return -ENODEV;
		strlcpy(r->name, "lo", sizeof(r->name));
		return 0;
	}
	r->name[sizeof(r->name) - 1] = '\0';
	if (strcmp(r->name, "lo"))
		return -ENODEV;
	switch (cmd) {
	case SIOCGIFFLAGS:
		r->flags = LO_IF_FLAGS;
		return 0;
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
		put_address(r, 0x0100007f);
		return 0;
	case SIOCGIFBRDADDR:
		put_address(r, 0);
		return 0;
	case SIOCGIFNETMASK:
		put_address(r, 0x000000ff);
		return 0;
	case SIOCGIFHWADDR:
		memset(r->bytes, 0, sizeof(r->bytes));
		r->in.family = 772; /* ARPHRD_LOOPBACK */
		return 0;
	case SIOCGIFMAP:
		memset(r->bytes, 0, sizeof(r->bytes));
		return 0;
	case SIOCGIFMETRIC:
		r->number = 0;
		return 0;
	case SIOCGIFMTU:
		r->number = LO_MTU;
		return 0;
	case SIOCGIFINDEX:
		r->number = LO_INDEX;
		return 0;
	case SIOCGIFTXQLEN:
		r->number = 1000;
		return 0;
	}
	return -EOPNOTSUPP;
}

static int64_t list_interfaces(bool host, uva_t arg)
{
	struct ifconf_ c;
	if (copy_in_struct(&c, arg))
		return -EFAULT;
	struct ifreq_ *list = kzalloc(IFCONF_ROOM);
	if (!list)
		return -ENOMEM;
	int64_t n = sizeof(*list);
	if (host) {
		n = host_net_ioctl(SIOCGIFCONF, list, IFCONF_ROOM);
	} else {
		strlcpy(list->name, "lo", sizeof(list->name));
		put_address(list, 0x0100007f);
	}
	if (n >= 0 && c.buf) { /* whole entries only */
		n = c.len < 0 ? -EINVAL : MIN(n, (int64_t)(c.len - c.len % (int)sizeof(*list)));
		if (n > 0 && copy_out(uva(c.buf), list, (size_t)n))
			n = -EFAULT;
	}
	kfree(list);
	if (n < 0)
		return n;
	c.len = (int)n;
	return copy_out_struct(arg, &c) ? -EFAULT : 0;
}

/* SIOCSIF*: lo is up, and that is all that can be asked for. */
static int64_t change(struct net_ns *net, uint32_t cmd, const struct ifreq_ *r)
{
	if (!ns_capable(net->ns.user_ns, CAP_NET_ADMIN))
		return -EPERM;
	if (strncmp(r->name, "lo", sizeof(r->name)))
		return -ENODEV;
	return cmd == SIOCSIFFLAGS && r->flags & 1 ? 0 : -EOPNOTSUPP;
}

int64_t net_dev_ioctl(struct net_ns *net, uint32_t cmd, uint64_t arg)
{
	bool host = boot.host_network && net == &init_net_ns;
	struct ifreq_ r;
	int64_t err;
	if (cmd == SIOCGIFCONF)
		return list_interfaces(host, uva(arg));
	if (copy_in_struct(&r, uva(arg)))
		return -EFAULT;
	switch (cmd) {
	case SIOCSIFFLAGS:
	case SIOCSIFADDR:
	case SIOCSIFNETMASK:
	case SIOCSIFMTU:
		return change(net, cmd, &r);
	case SIOCETHTOOL:
		err = about_lo(SIOCGIFINDEX, &r);
		return host || !err ? -EOPNOTSUPP : err;
	}
	err = host ? host_net_ioctl(cmd, &r, sizeof(r)) : about_lo(cmd, &r);
	return err < 0 ? err : copy_out_struct(uva(arg), &r) ? -EFAULT : 0;
}

bool net_dev_request(uint32_t cmd)
{
	switch (cmd) {
	case SIOCGIFCONF:
	case SIOCGIFNAME:
	case SIOCGIFFLAGS:
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFMETRIC:
	case SIOCGIFMTU:
	case SIOCGIFHWADDR:
	case SIOCGIFINDEX:
	case SIOCGIFTXQLEN:
	case SIOCGIFMAP:
	case SIOCSIFFLAGS:
	case SIOCSIFADDR:
	case SIOCSIFNETMASK:
	case SIOCSIFMTU:
	case SIOCETHTOOL:
		return true;
	}
	return false;
}
