/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "oci/gofer/proto.h"
#include "oci/util.h"

#define MESSAGE_MAX 8000 /* below what the reader takes */

static int status_fd = -1;

void status_attach(int fd)
{
	status_fd = fd;
}

bool status_wait_for_go(void)
{
	char byte;
	ssize_t n;

	while ((n = recv(status_fd, &byte, 1, 0)) < 0 && errno == EINTR)
		;
	return n == 1;
}

bool status_send_error(const struct error *e)
{
	char *text = xasprintf("E%.*s", MESSAGE_MAX, e->msg);
	bool sent = status_fd >= 0 && proto_send(status_fd, text, strlen(text), NULL, 0, NULL, 0) > 0;

	free(text);
	return sent;
}
