// SPDX-License-Identifier: Apache-2.0
/* memfd_create(2). Huge pages are not offered. */
#include "fs/vfs.h"

#include <linux/fcntl.h>
#include <linux/memfd.h>

#include "lib/string.h"
#include "syscall/syscall.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#define MFD_EXEC 16u
#endif
#define SEAL_EXEC 0x20u
#define MEMFD_PREFIX "/memfd:"
#define MEMFD_NAME_MAX 249

int64_t sys_memfd_create(const struct sysargs *a)
{
	uva_t uname = arg_uva(a, 0);
	uint32_t flags = arg_u32(a, 1);
	char name[sizeof(MEMFD_PREFIX) + MEMFD_NAME_MAX + 1] = MEMFD_PREFIX;
	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_NOEXEC_SEAL | MFD_EXEC | (0x3fu << 26)))
		return -EINVAL;
	if (!(flags & MFD_HUGETLB) && (flags >> 26))
		return -EINVAL;
	if ((flags & (MFD_EXEC | MFD_NOEXEC_SEAL)) == (MFD_EXEC | MFD_NOEXEC_SEAL))
		return -EINVAL;
	ssize_t_ n = copy_in_string(name + sizeof(MEMFD_PREFIX) - 1, uname, MEMFD_NAME_MAX + 1);
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	if (flags & MFD_HUGETLB)
		return -ENOSYS;
	struct file *f = tmpfs_anon_file(name, 0, flags & MFD_NOEXEC_SEAL ? 0666 : 0777, O_RDWR | O_LARGEFILE);
	if (IS_ERR(f))
		return PTR_ERR(f);
	if (flags & MFD_NOEXEC_SEAL)
		f->inode->seals = SEAL_EXEC;
	else
		f->inode->seals = flags & MFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL;
	return fd_publish(f, flags & MFD_CLOEXEC);
}
