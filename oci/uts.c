/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/uts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "oci/util.h"

struct error *uts_read(struct spec *s)
{
	AUTO_FD own = -1;
	AUTO_FD theirs = -1;
	struct utsname u;
	int err = 0;

	if (!s->uts_path || s->hostname)
		return NULL;
	own = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
	theirs = open(s->uts_path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || theirs < 0 || setns(theirs, CLONE_NEWUTS) < 0)
		return error_errno(errno, "linux.namespaces: cannot join the uts namespace %s", s->uts_path);
	if (uname(&u) < 0)
		err = errno;
	if (setns(own, CLONE_NEWUTS) < 0 && !err)
		err = errno;
	if (err)
		return error_errno(err, "linux.namespaces: the uts namespace %s", s->uts_path);
	s->hostname = xstrdup(u.nodename);
	if (!s->domainname && strcmp(u.domainname, "(none)") != 0)
		s->domainname = xstrdup(u.domainname);
	return NULL;
}

void uts_prepare(const char *hostname, const char *domainname)
{
	if (hostname && sethostname(hostname, strlen(hostname)) < 0)
		log_debug("the sandbox's own host name: %s", strerror(errno));
	if (domainname && setdomainname(domainname, strlen(domainname)) < 0)
		log_debug("the sandbox's own domain name: %s", strerror(errno));
}
