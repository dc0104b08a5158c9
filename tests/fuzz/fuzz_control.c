/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to the control server, and the Sentry's answers to them: the input is a message, 0xff 0xfe, and an answer. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "abi/control.h"
#include "fuzz_vmm.h"
#include "vmm/control.h"
#include "vmm/hostcall.h"
#include "vmm/io.h"
#include "vmm/vcpu.h"

#define RAM_AT   (DIRECT_BASE + BOOT_RESERVED_END)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct sockaddr_un address = {.sun_family = AF_UNIX};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), none[1] = {-1};

	fuzz_vmm_init(fd);
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", fuzz_dir);
	ENSURE(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 8) == 0);
	ENSURE(io_init(none, none, 1) == 0 && control_init(fd) == 0);
	return 0;
}

/* With a descriptor, as exec requests have. */
static void send_message(int fd, const void *data, size_t size)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
	struct iovec iov = {(void *)data, size};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(c), &(int){STDERR_FILENO}, sizeof(int));
	if (size)
		sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vmm_vcpu v;
	const uint8_t *mark = memmem(data, size, "\xff\xfe", 2);
	size_t len = mark ? (size_t)(mark - data) : size, rest = mark ? size - len - 2 : 0;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	int64_t n;

	fuzz_begin();
	ENSURE(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	control_event(CONTROL_LISTENER, EPOLLIN);
	send_message(fd, data, len);
	if (len)
		control_event(0, EPOLLIN);
	while ((n = hostcall_dispatch(&v, HC_CTL_NEXT, (uint64_t[6]){RAM_AT, CTL_MESSAGE_MAX})) > 0) {
		static uint32_t id;

		memcpy((void *)(RAM_AT + CTL_MESSAGE_MAX), mark ? mark + 2 : data, rest);
		id++;
		for (unsigned k = 0; k < 3; k++) /* the first leaves it open, the third finds nothing */
			n = hostcall_dispatch(&v, HC_CTL_REPLY, (uint64_t[6]){id, RAM_AT + CTL_MESSAGE_MAX, rest, k == 0});
		ENSURE(n < 0);
	}
	close(fd);
	control_event(0, EPOLLHUP);
	for (unsigned i = 0; i < IO_MAX; i++)
		io_drop(i);
	return 0;
}
