/* SPDX-License-Identifier: Apache-2.0 */
/* Asynchronous I/O: contexts, submission, the ring that the application can read, what is refused. */
#include "abi.h"

#include <linux/aio_abi.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>

struct ring {
	uint32_t id, nr, head, tail, magic, compat, incompat, header_length;
	struct io_event events[];
};

static long submit(aio_context_t ctx, struct iocb *cb) { return syscall(SYS_io_submit, ctx, 1L, &cb); }

static void read_and_write(void)
{
	static const struct timespec now;
	aio_context_t ctx = 0;
	char buf[16] = "";
	struct iovec iov[2] = {{buf, 2}, {buf + 2, 6}};
	struct io_event ev[4];
	uint64_t count;
	int fd = open("aio", O_RDWR | O_CREAT | O_TRUNC, 0600), efd = eventfd(0, EFD_NONBLOCK);
	struct iocb w = {.aio_data = 7, .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd, .aio_buf = (uintptr_t)"12345678",
	                 .aio_nbytes = 8, .aio_offset = 4, .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = efd};
	struct iocb r = {.aio_data = 8, .aio_lio_opcode = IOCB_CMD_PREADV, .aio_fildes = fd, .aio_buf = (uintptr_t)iov,
	                 .aio_nbytes = 2, .aio_offset = 4};
	struct iocb s = {.aio_data = 9, .aio_lio_opcode = IOCB_CMD_FSYNC, .aio_fildes = fd};

	REQUIRE(syscall(SYS_io_setup, 8, &ctx) == 0);
	struct ring *ring = (struct ring *)ctx;
	CHECK_EQ(ring->magic, 0xa10a10a1);
	CHECK_EQ(syscall(SYS_io_getevents, ctx, 0L, 4L, ev, NULL), 0);
	CHECK_EQ(submit(ctx, &w), 1);
	CHECK_EQ(syscall(SYS_io_getevents, ctx, 1L, 4L, ev, NULL), 1);
	CHECK_EQ(ev[0].data, 7);
	CHECK_EQ(ev[0].obj, (uintptr_t)&w);
	CHECK_EQ(ev[0].res, 8);
	CHECK_EQ(read(efd, &count, 8), 8);
	CHECK_EQ(submit(ctx, &r), 1);
	CHECK_EQ(syscall(SYS_io_getevents, ctx, 1L, 4L, ev, NULL), 1);
	CHECK(!memcmp(buf, "12345678", 8));
	CHECK_EQ(submit(ctx, &s), 1);
	CHECK_EQ(syscall(SYS_io_pgetevents, ctx, 1L, 4L, ev, NULL, NULL), 1);
	CHECK_EQ(ev[0].data, 9);
	CHECK_EQ(ev[0].res, 0);
	/* taken out of the ring without a call */
	CHECK_EQ(submit(ctx, &w), 1);
	while (((volatile struct ring *)ring)->head == ((volatile struct ring *)ring)->tail)
		;
	CHECK_EQ(ring->events[ring->head].data, 7);
	ring->head = (ring->head + 1) % ring->nr;
	CHECK_EQ(syscall(SYS_io_getevents, ctx, 1L, 4L, ev, &now), 0);
	CHECK_EQ(syscall(SYS_io_destroy, ctx), 0);
	CHECK_ERRNO(syscall(SYS_io_destroy, ctx), EINVAL);
	CHECK_ERRNO(submit(ctx, &w), EINVAL);
	close(efd);
	close(fd);
}

static void refused(void)
{
	aio_context_t ctx = 0;
	struct io_event ev[1];
	int fd = open("aio", O_RDONLY | O_CREAT, 0600), p[2];
	struct iocb cb = {.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd, .aio_buf = (uintptr_t)"x", .aio_nbytes = 1};

	REQUIRE(pipe(p) == 0);
	CHECK_ERRNO(syscall(SYS_io_setup, 0, &ctx), EINVAL);
	CHECK_EQ(syscall(SYS_io_setup, 1, &ctx), 0);
	CHECK_ERRNO(syscall(SYS_io_setup, 1, &ctx), EINVAL);
	CHECK_ERRNO(submit(ctx, &cb), EBADF);
	cb.aio_lio_opcode = 99;
	CHECK_ERRNO(submit(ctx, &cb), EINVAL);
	cb.aio_lio_opcode = IOCB_CMD_PREAD;
	cb.aio_offset = -1;
	CHECK_ERRNO(submit(ctx, &cb), EINVAL);
	cb.aio_offset = 0;
	cb.aio_flags = IOCB_FLAG_RESFD;
	cb.aio_resfd = fd;
	CHECK_ERRNO(submit(ctx, &cb), EINVAL);
	CHECK_ERRNO(submit(ctx, BAD_POINTER), EFAULT);
	CHECK_ERRNO(syscall(SYS_io_getevents, ctx, 2L, 1L, ev, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_io_getevents, 4096L, 0L, 1L, ev, NULL), EINVAL);
	signal(SIGPIPE, SIG_IGN);
	close(p[0]);
	cb = (struct iocb){.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = p[1], .aio_buf = (uintptr_t)"x", .aio_nbytes = 1};
	CHECK_EQ(submit(ctx, &cb), 1);
	CHECK_EQ(syscall(SYS_io_getevents, ctx, 1L, 1L, ev, NULL), 1);
	CHECK_EQ(ev[0].res, -EPIPE);
	CHECK_EQ(syscall(SYS_io_destroy, ctx), 0);
	close(p[1]);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct abi_test tests[] = {ABI_TEST(read_and_write), ABI_TEST(refused)};

	abi_scratch();
	return abi_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
