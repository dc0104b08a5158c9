// SPDX-License-Identifier: Apache-2.0
/*
 * The table of character devices. There are no block devices, and no devices of the host: a special file names one of
 * these, whoever made it.
 */
#include "fs/dev/chrdev.h"

#include "fs/tty/tty.h"

struct chrdev {
	uint32_t major, first_minor, last_minor;
	const char *name;
	const struct file_ops *ops; /* or open decides */
	int (*open)(struct inode *inode, struct file *file);
};

static const struct chrdev chrdevs[] = {
	{MEM_MAJOR, 3, 3, "mem", &mem_null_fops, NULL},
	{MEM_MAJOR, 5, 5, NULL, &mem_zero_fops, NULL},
	{MEM_MAJOR, 7, 7, NULL, &mem_full_fops, NULL},
	{MEM_MAJOR, 8, 9, NULL, &mem_random_fops, NULL},
	{TTYAUX_MAJOR, 0, 0, "/dev/tty", NULL, tty_open_current},
	{TTYAUX_MAJOR, 1, 1, "/dev/console", NULL, tty_open_console},
	{TTYAUX_MAJOR, 2, 2, "/dev/ptmx", NULL, pty_open_master},
	{PTY_SLAVE_MAJOR, 0, PTY_MAX - 1, "pts", NULL, pty_open_slave},
};

int chrdev_open(struct inode *inode, struct file *file)
{
	uint32_t major = DEV_MAJOR(inode->rdev), minor = DEV_MINOR(inode->rdev);
	if (!S_ISCHR(inode->mode))
		return -ENXIO;
	for (size_t i = 0; i < ARRAY_SIZE(chrdevs); i++) {
		const struct chrdev *c = &chrdevs[i];
		if (c->major != major || minor < c->first_minor || minor > c->last_minor)
			continue;
		if (c->open)
			return c->open(inode, file);
		file->ops = c->ops;
		return c->ops->open ? c->ops->open(inode, file) : 0;
	}
	return -ENXIO;
}
