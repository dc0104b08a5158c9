/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX access control lists: what they grant, how they and the mode follow each other, what directories hand down. */
#include "abi.h"

#include <sys/xattr.h>

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
#define SOMEBODY 4242

struct entry {
	uint16_t tag, perm;
	uint32_t id;
};

struct acl {
	uint32_t version;
	struct entry e[5];
} __attribute__((packed));

/* rw-, user SOMEBODY as given, group r--, mask rw-, others nothing */
static struct acl with_user(unsigned perm)
{
	return (struct acl){2, {{1, 6, -1}, {2, perm, SOMEBODY}, {4, 4, -1}, {16, 6, -1}, {32, 0, -1}}};
}

static void list_and_mode(void)
{
	struct acl a = with_user(6), b;
	char names[128];
	struct stat st;

	close(open("f", O_WRONLY | O_CREAT | O_TRUNC, 0640));
	CHECK_ERRNO(getxattr("f", ACCESS, NULL, 0), ENODATA);
	CHECK_EQ(setxattr("f", ACCESS, &a, sizeof(a), 0), 0);
	CHECK_EQ(getxattr("f", ACCESS, &b, sizeof(b)), sizeof(b));
	CHECK(!memcmp(&a, &b, sizeof(a)));
	CHECK_ERRNO(getxattr("f", ACCESS, &b, 8), ERANGE);
	CHECK_EQ(stat("f", &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0660);
	CHECK_EQ(listxattr("f", names, sizeof(names)), sizeof(ACCESS));
	CHECK_EQ(chmod("f", 0600), 0);
	CHECK_EQ(getxattr("f", ACCESS, &b, sizeof(b)), sizeof(b));
	CHECK_EQ(b.e[3].perm, 0);
	CHECK_EQ(b.e[1].perm, 6);
	CHECK_EQ(removexattr("f", ACCESS), 0);
	CHECK_ERRNO(getxattr("f", ACCESS, NULL, 0), ENODATA);
	CHECK_ERRNO(setxattr("f", DEFAULT, &a, sizeof(a), 0), EACCES);
}

static void refused(void)
{
	struct acl a = with_user(6);

	close(open("f", O_WRONLY | O_CREAT, 0640));
	CHECK_ERRNO(setxattr("f", ACCESS, &a, 3, 0), EINVAL);
	CHECK_ERRNO(setxattr("f", ACCESS, &a, sizeof(a) - 1, 0), EINVAL);
	a.version = 3;
	CHECK_ERRNO(setxattr("f", ACCESS, &a, sizeof(a), 0), EOPNOTSUPP);
	a = with_user(10);
	CHECK_ERRNO(setxattr("f", ACCESS, &a, sizeof(a), 0), EINVAL);
	a = with_user(6);
	a.e[3] = a.e[4]; /* no mask */
	CHECK_ERRNO(setxattr("f", ACCESS, &a, sizeof(a) - sizeof(a.e[0]), 0), EINVAL);
}

static void as_somebody(void)
{
	REQUIRE(setgid(SOMEBODY) == 0 && setuid(SOMEBODY) == 0);
	CHECK_EQ(access("granted", R_OK | W_OK), 0);
	CHECK_ERRNO(access("granted", X_OK), EACCES);
	CHECK_EQ(access("denied", F_OK), 0);
	CHECK_ERRNO(access("denied", R_OK), EACCES);
}

static void permission(void)
{
	struct acl yes = with_user(7), no = with_user(0);

	close(open("granted", O_WRONLY | O_CREAT, 0600));
	close(open("denied", O_WRONLY | O_CREAT, 0600));
	no.e[4].perm = 7;
	CHECK_EQ(setxattr("granted", ACCESS, &yes, sizeof(yes), 0), 0);
	CHECK_EQ(setxattr("denied", ACCESS, &no, sizeof(no), 0), 0);
	if (getuid() == 0)
		CHECK_EQ(abi_child(as_somebody), 0);
}

static void inherited(void)
{
	struct acl a = with_user(6), b;
	struct stat st;
	mode_t old = umask(077);

	REQUIRE(mkdir("dir", 0755) == 0);
	CHECK_EQ(setxattr("dir", DEFAULT, &a, sizeof(a), 0), 0);
	close(open("dir/file", O_WRONLY | O_CREAT, 0666));
	CHECK_EQ(stat("dir/file", &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0660);
	CHECK_EQ(getxattr("dir/file", ACCESS, &b, sizeof(b)), sizeof(b));
	CHECK_EQ(b.e[1].perm, 6);
	CHECK_EQ(mkdir("dir/sub", 0700), 0);
	CHECK_EQ(getxattr("dir/sub", DEFAULT, &b, sizeof(b)), sizeof(b));
	CHECK_EQ(getxattr("dir/sub", ACCESS, &b, sizeof(b)), sizeof(b));
	CHECK_EQ(b.e[3].perm, 0);
	CHECK_EQ(removexattr("dir", DEFAULT), 0);
	umask(old);
}

int main(int argc, char **argv)
{
	static const struct abi_test tests[] = {ABI_TEST(list_and_mode), ABI_TEST(refused), ABI_TEST(permission),
	                                        ABI_TEST(inherited)};

	abi_scratch();
	chmod(".", 0755);
	return abi_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
