/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/network.h"

#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/util.h"

struct error *network_enter(struct network *n, const struct options *o, const struct spec *s, unsigned long *flags)
{
	bool host = strcmp(o->network, "host") == 0;
	AUTO_FD target = -1;

	n->own = -1;
	if (!host || (s->own_network && !s->network_path)) {
		*flags |= CLONE_NEWNET;
		return NULL;
	}
	if (!s->own_network)
		return NULL;
	target = open(s->network_path, O_RDONLY | O_CLOEXEC);
	n->own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (target < 0 || n->own < 0 || setns(target, CLONE_NEWNET) < 0) {
		struct error *e = error_errno(errno, "linux.namespaces: cannot join the network namespace %s", s->network_path);

		if (n->own >= 0)
			close(n->own);
		n->own = -1;
		return e;
	}
	return NULL;
}

void network_leave(struct network *n)
{
	if (n->own < 0)
		return;
	if (setns(n->own, CLONE_NEWNET) < 0)
		log_warn("cannot go back to runsc's own network namespace: %s", strerror(errno));
	close(n->own);
	n->own = -1;
}

bool network_is_own(const struct spec *s)
{
	struct stat own, target;

	if (!s->own_network || !s->network_path)
		return s->own_network;
	return stat("/proc/self/ns/net", &own) == 0 && stat(s->network_path, &target) == 0 &&
	       (own.st_ino != target.st_ino || own.st_dev != target.st_dev);
}

static void loopback_up(void)
{
	AUTO_FD fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {.ifr_name = "lo"};

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &r) < 0 || r.ifr_flags & IFF_UP)
		return;
	r.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &r) < 0)
		log_warn("cannot bring the loopback interface of the container up: %s", strerror(errno));
}

static struct error *set_sysctl(const char *setting)
{
	const char *value = strchr(setting, '=') + 1;
	char *path = xasprintf("/proc/sys/%.*s", (int)(value - setting - 1), setting);
	int err;

	for (char *p = path; *p; p++)
		*p = *p == '.' ? '/' : *p;
	err = write_file_at(AT_FDCWD, path, value);
	free(path);
	return err < 0 ? error_errno(err, "linux.sysctl: %s", setting) : NULL;
}

struct error *network_prepare(const void *tree, int node)
{
	int err, len;
	const char *list = fdt_getprop(tree, node, "sysctls", &len);
	struct error *e = NULL;

	loopback_up();
	/* Who may bind low ports is the Sentry's to say, also where the bundle sets the limit: the sandbox has no capabilities. */
	err = write_file_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
	if (err < 0)
		log_debug("ports below 1024 follow the namespace's own rule: %s", strerror(-err));
	for (const char *s = list; !e && s && s < list + len; s += strlen(s) + 1)
		if (has_prefix(s, "net.") && (err < 0 || !has_prefix(s, "net.ipv4.ip_unprivileged_port_start=")))
			e = set_sysctl(s);
	return e;
}
