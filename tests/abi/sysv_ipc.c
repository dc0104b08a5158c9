/* SPDX-License-Identifier: Apache-2.0 */
/* System V shared memory, semaphores and message queues: sysvipc(7). */
#include "abi.h"

#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <time.h>

#define SIZE 12288

static key_t fresh_key(void)
{
	static int n;

	return 0x41000000 + getpid() * 16 + n++;
}

/* Times of the kernel's objects and time(2) may be a tick behind the clock. */
static bool between(time_t before, time_t t)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return before - 1 <= t && t <= now.tv_sec;
}

static struct shmid_ds stat_of(int id)
{
	struct shmid_ds ds;

	memset(&ds, 0, sizeof(ds));
	CHECK_OK(shmctl(id, IPC_STAT, &ds));
	return ds;
}

/* ---- shared memory ---- */

static void shm_get(void)
{
	key_t key = fresh_key();
	time_t before = time(NULL);
	int id = shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0640);
	struct shmid_ds ds;

	REQUIRE(id >= 0);
	CHECK_EQ(shmget(key, 0, 0), id);
	CHECK_EQ(shmget(key, SIZE, IPC_CREAT | 0600), id);
	CHECK_ERRNO(shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_ERRNO(shmget(key, SIZE + 1, 0), EINVAL);
	CHECK_ERRNO(shmget(fresh_key(), SIZE, 0600), ENOENT);
	CHECK_ERRNO(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600), EINVAL);
	ds = stat_of(id);
	CHECK_EQ(ds.shm_segsz, SIZE);
	CHECK_EQ(ds.shm_perm.mode, 0640);
	CHECK_EQ(ds.shm_perm.__key, key);
	CHECK_EQ(ds.shm_cpid, getpid());
	CHECK_EQ(ds.shm_lpid, 0);
	CHECK_EQ(ds.shm_nattch, 0);
	CHECK_EQ(ds.shm_atime, 0);
	CHECK(between(before, ds.shm_ctime));
	ds.shm_perm.mode = 0600;
	CHECK_OK(shmctl(id, IPC_SET, &ds));
	CHECK_EQ(stat_of(id).shm_perm.mode, 0600);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_ERRNO(shmctl(id, IPC_STAT, &ds), EINVAL);
	CHECK_ERRNO(shmget(key, 0, 0), ENOENT);
	CHECK_ERRNO(shmctl(-1, IPC_STAT, &ds), EINVAL);
}

static void shm_attach(void)
{
	int id = shmget(IPC_PRIVATE, SIZE, 0600);
	char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY), *at;

	REQUIRE(a != MAP_FAILED && b != MAP_FAILED);
	strcpy(a + 5000, "shared");
	CHECK(!strcmp(b + 5000, "shared"));
	CHECK_EQ(stat_of(id).shm_nattch, 2);
	CHECK_EQ(stat_of(id).shm_lpid, getpid());
	CHECK_ERRNO(mprotect(b, 4096, PROT_READ | PROT_WRITE), EACCES);
	CHECK_OK(shmdt(b));
	CHECK_EQ(stat_of(id).shm_nattch, 1);
	CHECK_ERRNO(shmdt(b), EINVAL);
	CHECK_ERRNO(shmdt(a + 1), EINVAL);

	at = mmap(NULL, 16 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_ERRNO((long)shmat(id, at, 0), EINVAL); /* something is there */
	CHECK_ERRNO((long)shmat(id, at + 100, 0), EINVAL);
	CHECK_ERRNO((long)shmat(id, NULL, SHM_REMAP), EINVAL);
	CHECK(shmat(id, at + 4096 + 100, SHM_RND | SHM_REMAP) == at + 4096);
	CHECK(!strcmp(at + 4096 + 5000, "shared"));
	CHECK_OK(shmdt(at + 4096));
	munmap(at, 16 * 4096);
	CHECK(shmat(id, at, 0) == at);
	CHECK_OK(shmdt(at));
	CHECK_OK(shmdt(a));
	CHECK_ERRNO((long)shmat(-1, NULL, 0), EINVAL);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_ERRNO((long)shmat(id, NULL, 0), EINVAL);
}

/* Parts of an attachment count one by one, and shmdt takes what is left. */
static void shm_pieces(void)
{
	int id = shmget(IPC_PRIVATE, 5 * 4096, 0600);
	char *a = shmat(id, NULL, 0);

	REQUIRE(a != MAP_FAILED);
	CHECK_OK(munmap(a + 4096, 4096));
	CHECK_EQ(stat_of(id).shm_nattch, 2);
	CHECK_OK(mprotect(a + 3 * 4096, 4096, PROT_READ));
	CHECK_EQ(stat_of(id).shm_nattch, 4);
	CHECK_OK(shmdt(a));
	CHECK_EQ(stat_of(id).shm_nattch, 0);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

static int forked_id;
static char *forked_at;

static void forked(void)
{
	CHECK_EQ(stat_of(forked_id).shm_nattch, 2);
	strcpy(forked_at, "from the child");
}

static void forked_removes(void)
{
	CHECK_OK(shmctl(forked_id, IPC_RMID, NULL));
}

static void shm_removal_waits(void)
{
	key_t key = fresh_key();
	struct shmid_ds ds;

	forked_id = shmget(key, SIZE, IPC_CREAT | 0600);
	forked_at = shmat(forked_id, NULL, 0);
	REQUIRE(forked_at != MAP_FAILED);
	CHECK_OK(abi_child(forked));
	CHECK(!strcmp(forked_at, "from the child"));
	CHECK_EQ(stat_of(forked_id).shm_nattch, 1);
	CHECK_OK(abi_child(forked_removes));
	ds = stat_of(forked_id);
	CHECK_EQ(ds.shm_nattch, 1);
	CHECK(ds.shm_perm.mode & SHM_DEST);
	CHECK_EQ(ds.shm_perm.__key, IPC_PRIVATE);
	CHECK_ERRNO(shmget(key, 0, 0), ENOENT);
	/* Still there for who knows the number. */
	char *b = shmat(forked_id, NULL, 0);
	CHECK(b != MAP_FAILED && !strcmp(b, "from the child"));
	CHECK_OK(shmdt(b));
	CHECK_OK(shmdt(forked_at));
	CHECK_ERRNO(shmctl(forked_id, IPC_STAT, &ds), EINVAL);
}

static void shm_maps(void)
{
	key_t key = fresh_key();
	int id = shmget(key, SIZE, IPC_CREAT | 0600);
	char *a = shmat(id, NULL, 0), line[512], want[64], perms[8], name[64];
	FILE *f = fopen("/proc/self/maps", "r");
	bool found = false;

	REQUIRE(a != MAP_FAILED && f);
	snprintf(want, sizeof(want), "/SYSV%08x", key);
	while (fgets(line, sizeof(line), f)) {
		unsigned long start, end, off, ino;
		unsigned major, minor;

		if (sscanf(line, "%lx-%lx %7s %lx %x:%x %lu %63s", &start, &end, perms, &off, &major, &minor, &ino, name) != 8 ||
		    start != (unsigned long)a)
			continue;
		found = true;
		CHECK_EQ(end - start, SIZE);
		CHECK(!strcmp(perms, "rw-s"));
		CHECK(!strcmp(name, want));
		CHECK_EQ(ino, id);
		CHECK(strstr(line, "(deleted)") != NULL);
	}
	fclose(f);
	CHECK(found);
	CHECK_OK(shmdt(a));
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

static void shm_info(void)
{
	int id = shmget(IPC_PRIVATE, SIZE, 0600), highest;
	struct shminfo info;
	struct shm_info used;
	struct shmid_ds ds;
	bool found = false;

	CHECK(shmctl(0, IPC_INFO, (void *)&info) >= 0);
	CHECK_EQ(info.shmmin, 1);
	CHECK(info.shmmax >= 0x2000000);
	highest = shmctl(0, SHM_INFO, (void *)&used);
	CHECK(highest >= 0 && used.used_ids >= 1 && used.shm_tot >= 3);
	for (int i = 0; i <= highest; i++)
		found |= shmctl(i, SHM_STAT, &ds) == id && ds.shm_segsz == SIZE;
	CHECK(found);
	CHECK_OK(shmctl(id, SHM_LOCK, NULL));
	CHECK(stat_of(id).shm_perm.mode & SHM_LOCKED);
	CHECK_OK(shmctl(id, SHM_UNLOCK, NULL));
	CHECK_EQ(stat_of(id).shm_perm.mode, 0600);
	CHECK_ERRNO(shmctl(id, 99, NULL), EINVAL);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

/* ---- semaphores ---- */

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};

static int op(int id, int num, int value, int flags)
{
	struct sembuf b = {.sem_num = (unsigned short)num, .sem_op = (short)value, .sem_flg = (short)flags};

	return semop(id, &b, 1);
}

static void sem_values(void)
{
	int id = semget(IPC_PRIVATE, 3, 0600);
	unsigned short v[3] = {1, 2, 3};
	struct semid_ds ds;

	REQUIRE(id >= 0);
	CHECK_OK(semctl(id, 0, SETALL, (union semun){.array = v}));
	memset(v, 0, sizeof(v));
	CHECK_OK(semctl(id, 0, GETALL, (union semun){.array = v}));
	CHECK(v[0] == 1 && v[1] == 2 && v[2] == 3);
	CHECK_OK(semctl(id, 1, SETVAL, (union semun){.val = 7}));
	CHECK_EQ(semctl(id, 1, GETVAL), 7);
	CHECK_EQ(semctl(id, 1, GETPID), getpid());
	CHECK_ERRNO(semctl(id, 1, SETVAL, (union semun){.val = 32768}), ERANGE);
	CHECK_ERRNO(semctl(id, 3, GETVAL), EINVAL);
	CHECK_OK(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}));
	CHECK_EQ(ds.sem_nsems, 3);
	CHECK_EQ(ds.sem_otime, 0);
	time_t before = time(NULL);
	CHECK_OK(op(id, 0, -1, IPC_NOWAIT));
	CHECK_ERRNO(op(id, 0, -1, IPC_NOWAIT), EAGAIN);
	CHECK_ERRNO(op(id, 1, 0, IPC_NOWAIT), EAGAIN);
	CHECK_OK(op(id, 0, 0, IPC_NOWAIT));
	CHECK_ERRNO(op(id, 3, 1, 0), EFBIG);
	CHECK_ERRNO(op(id, 1, 32767, 0), ERANGE);
	CHECK_OK(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}));
	CHECK(between(before, ds.sem_otime));
	CHECK_OK(semctl(id, 0, IPC_RMID));
	CHECK_ERRNO(op(id, 0, 1, 0), EINVAL);
	CHECK_ERRNO(semget(IPC_PRIVATE, 0, 0600), EINVAL);
	CHECK_ERRNO(semget(IPC_PRIVATE, -1, 0600), EINVAL);
}

/* All operations of a call or none. */
static void sem_atomic(void)
{
	int id = semget(IPC_PRIVATE, 2, 0600);
	struct sembuf ops[2] = {{0, 1, 0}, {1, -1, IPC_NOWAIT}};

	CHECK_ERRNO(semop(id, ops, 2), EAGAIN);
	CHECK_EQ(semctl(id, 0, GETVAL), 0);
	ops[1] = (struct sembuf){0, -1, IPC_NOWAIT};
	CHECK_OK(semop(id, ops, 2));
	CHECK_ERRNO(semop(id, ops, 0), EINVAL);
	CHECK_ERRNO(semop(id, ops, 100000), E2BIG);
	CHECK_ERRNO(semop(id, BAD_POINTER, 1), EFAULT);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

static int sem_id;

static void undoes(void)
{
	CHECK_OK(op(sem_id, 0, -2, SEM_UNDO));
	CHECK_OK(op(sem_id, 0, 3, 0));
	CHECK_EQ(semctl(sem_id, 0, GETVAL), 6);
}

static void sem_undo(void)
{
	sem_id = semget(IPC_PRIVATE, 1, 0600);
	CHECK_OK(semctl(sem_id, 0, SETVAL, (union semun){.val = 5}));
	CHECK_OK(abi_child(undoes));
	CHECK_EQ(semctl(sem_id, 0, GETVAL), 8);
	CHECK_OK(semctl(sem_id, 0, IPC_RMID));
}

static int shared_set;
static volatile pid_t sleeper;

static void *take_with_undo(void *arg)
{
	struct sembuf op = {0, -1, SEM_UNDO};

	sleeper = gettid();
	CHECK_EQ(semop(shared_set, &op, 1), 0);
	return arg;
}

/* A thread gives up its adjustments while another one sleeps in an operation that wants some. */
static void sem_undo_unshared(void)
{
	struct sembuf op = {0, 1, 0};
	pthread_t t;

	shared_set = semget(IPC_PRIVATE, 1, 0600);
	REQUIRE(shared_set >= 0 && pthread_create(&t, NULL, take_with_undo, NULL) == 0);
	while (!sleeper)
		usleep(1000);
	CHECK(abi_sleeps(sleeper));
	CHECK_EQ(unshare(CLONE_SYSVSEM), 0);
	CHECK_EQ(semop(shared_set, &op, 1), 0);
	pthread_join(t, NULL);
	CHECK_EQ(semctl(shared_set, 0, IPC_RMID), 0);
}

static void sem_timeout(void)
{
	int id = semget(IPC_PRIVATE, 1, 0600);
	struct sembuf b = {0, -1, 0};
	struct timespec t = {0, 20000000}, before, after;

	clock_gettime(CLOCK_MONOTONIC, &before);
	CHECK_ERRNO(semtimedop(id, &b, 1, &t), EAGAIN);
	clock_gettime(CLOCK_MONOTONIC, &after);
	CHECK((after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec >= 20000000);
	t.tv_nsec = 1000000000;
	CHECK_ERRNO(semtimedop(id, &b, 1, &t), EINVAL);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

static void on_signal(int s)
{
}

static void sem_sleepers(void)
{
	sem_id = semget(IPC_PRIVATE, 2, 0600);
	pid_t waits = fork(), removed;

	if (!waits)
		_exit(op(sem_id, 0, -1, 0) ? errno : 0);
	while (semctl(sem_id, 0, GETNCNT) != 1)
		usleep(1000);
	CHECK_EQ(semctl(sem_id, 0, GETZCNT), 0);
	CHECK_OK(op(sem_id, 0, 1, 0));
	int status;
	CHECK_EQ(waitpid(waits, &status, 0), waits);
	CHECK_EQ(status, 0);
	CHECK_EQ(semctl(sem_id, 0, GETPID), waits);
	CHECK_EQ(semctl(sem_id, 0, GETNCNT), 0);

	/* A signal ends the wait whatever its flags. */
	waits = fork();
	if (!waits) {
		struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

		sigaction(SIGUSR1, &sa, NULL);
		_exit(op(sem_id, 0, -1, 0) ? errno : 0);
	}
	while (semctl(sem_id, 0, GETNCNT) != 1)
		usleep(1000);
	kill(waits, SIGUSR1);
	CHECK_EQ(waitpid(waits, &status, 0), waits);
	CHECK_EQ(WEXITSTATUS(status), EINTR);

	removed = fork();
	if (!removed)
		_exit(op(sem_id, 1, -1, 0) ? errno : 0);
	while (semctl(sem_id, 1, GETNCNT) != 1)
		usleep(1000);
	CHECK_OK(semctl(sem_id, 0, IPC_RMID));
	CHECK_EQ(waitpid(removed, &status, 0), removed);
	CHECK_EQ(WEXITSTATUS(status), EIDRM);
}

/* ---- message queues ---- */

struct text {
	long type;
	char text[64];
};

static void msg_types(void)
{
	int id = msgget(IPC_PRIVATE, 0600);
	struct text m;
	struct msqid_ds ds;

	REQUIRE(id >= 0);
	for (long t = 3; t >= 1; t--) {
		m.type = t;
		snprintf(m.text, sizeof(m.text), "message %ld", t);
		CHECK_OK(msgsnd(id, &m, 10, 0));
	}
	CHECK_OK(msgctl(id, IPC_STAT, &ds));
	CHECK_EQ(ds.msg_qnum, 3);
	CHECK_EQ(ds.msg_cbytes, 30);
	CHECK_EQ(ds.msg_lspid, getpid());
	CHECK_EQ(msgrcv(id, &m, 64, 2, 0), 10);
	CHECK(m.type == 2 && !strcmp(m.text, "message 2"));
	CHECK_ERRNO(msgrcv(id, &m, 64, 2, IPC_NOWAIT), ENOMSG);
	CHECK_ERRNO(msgrcv(id, &m, 5, 0, IPC_NOWAIT), E2BIG);
	CHECK_EQ(msgrcv(id, &m, 64, -3, 0), 10);
	CHECK_EQ(m.type, 1);
	CHECK_EQ(msgrcv(id, &m, 5, 0, MSG_NOERROR), 5);
	CHECK_EQ(m.type, 3);
	CHECK_ERRNO(msgrcv(id, &m, 64, 0, IPC_NOWAIT), ENOMSG);
	m.type = 0;
	CHECK_ERRNO(msgsnd(id, &m, 1, 0), EINVAL);
	m.type = 1;
	CHECK_ERRNO(msgsnd(id, &m, 8193, 0), EINVAL);
	CHECK_OK(msgsnd(id, &m, 0, 0));
	CHECK_EQ(msgrcv(id, &m, 0, 0, 0), 0);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
	CHECK_ERRNO(msgsnd(id, &m, 1, 0), EINVAL);
}

static void msg_full(void)
{
	int id = msgget(IPC_PRIVATE, 0600), sent = 0, status;
	static struct {
		long type;
		char data[4096];
	} m = {.type = 1};
	pid_t child;

	while (!msgsnd(id, &m, sizeof(m.data), IPC_NOWAIT))
		sent++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(sent, 4);
	child = fork();
	if (!child)
		_exit(msgsnd(id, &m, sizeof(m.data), 0) ? errno : 0);
	CHECK(abi_sleeps(child));
	CHECK_EQ(msgrcv(id, &m, sizeof(m.data), 0, 0), sizeof(m.data));
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	child = fork();
	if (!child)
		_exit(msgsnd(id, &m, sizeof(m.data), 0) ? errno : 0);
	CHECK(abi_sleeps(child));
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(WEXITSTATUS(status), EIDRM);
}

ABI_MAIN(ABI_TEST(shm_get), ABI_TEST(shm_attach), ABI_TEST(shm_pieces), ABI_TEST(shm_removal_waits), ABI_TEST(shm_maps),
         ABI_TEST(shm_info), ABI_TEST(sem_values), ABI_TEST(sem_atomic), ABI_TEST(sem_undo), ABI_TEST(sem_undo_unshared),
         ABI_TEST(sem_timeout),
         ABI_TEST(sem_sleepers), ABI_TEST(msg_types), ABI_TEST(msg_full))
