/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-terminals: pty(7), termios(3), tty_ioctl(4), job control. */
#include "abi.h"

#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <termios.h>

static int master, slave;

static bool open_pair(void)
{
	char name[64];

	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (!CHECK(master >= 0) || !CHECK_OK(grantpt(master)) || !CHECK_OK(unlockpt(master)) ||
	    !CHECK_OK(ptsname_r(master, name, sizeof(name))))
		return false;
	slave = open(name, O_RDWR | O_NOCTTY);
	return CHECK(slave >= 0);
}

static void close_pair(void)
{
	close(master);
	close(slave);
}

/* Reads what is there, with a time limit. */
static ssize_t get(int fd, char *buf, size_t n)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	memset(buf, 0, n);
	return poll(&p, 1, 20000) == 1 ? read(fd, buf, n - 1) : -2;
}

/* Reads this, which may come in pieces: Linux hands an echo over character by character. */
static bool comes(int fd, const char *text)
{
	size_t n = strlen(text), have = 0;
	char buf[256], part[256];

	while (have < n) {
		ssize_t r = get(fd, part, n - have + 1);
		if (r <= 0)
			return false;
		memcpy(buf + have, part, (size_t)r);
		have += (size_t)r;
	}
	return !memcmp(buf, text, n);
}

static bool quiet(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 20) == 0;
}

static void set_flags(tcflag_t on, tcflag_t off)
{
	struct termios t;

	CHECK_OK(tcgetattr(slave, &t));
	t.c_lflag = (t.c_lflag & ~off) | on;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
}

static void names(void)
{
	char path[64], want[64];
	struct termios t;
	struct stat st;
	int n;

	REQUIRE(open_pair());
	CHECK_OK(ioctl(master, TIOCGPTN, &n));
	snprintf(want, sizeof(want), "/dev/pts/%d", n);
	CHECK(!strcmp(ttyname(slave) ? ttyname(slave) : "", want));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", slave);
	char link[64];
	ssize_t len = readlink(path, link, sizeof(link));
	CHECK(len == (ssize_t)strlen(want) && !strncmp(link, want, (size_t)len));
	CHECK_OK(fstat(slave, &st));
	CHECK(S_ISCHR(st.st_mode) && st.st_rdev >> 8 == 136);
	CHECK(isatty(master) && isatty(slave));
	CHECK_OK(tcgetattr(slave, &t));
	CHECK_EQ(t.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
	CHECK_EQ(t.c_iflag, ICRNL | IXON);
	CHECK_EQ(t.c_oflag, OPOST | ONLCR);
	CHECK_EQ(t.c_cc[VINTR], 3);
	CHECK_EQ(t.c_cc[VEOF], 4);
	CHECK_EQ(t.c_cc[VERASE], 0177);
	CHECK_ERRNO(lseek(slave, 0, SEEK_SET), ESPIPE);
	close(slave);
	n = 1;
	CHECK_OK(ioctl(master, TIOCSPTLCK, &n));
	CHECK_ERRNO(open(want, O_RDWR | O_NOCTTY), EIO);
	close(master);
	slave = open(want, O_RDWR | O_NOCTTY);
	/* On a shared machine another one may have the number by now. */
	CHECK((slave < 0 && errno == ENOENT) || getenv("ABI_SHARED_MACHINE"));
	if (slave >= 0)
		close(slave);
}

#define RUBOUT "\b \b"

static void canonical(void)
{
	char buf[64];
	int n;

	REQUIRE(open_pair());
	CHECK_EQ(write(master, "wrongx\177\025right\025ab\177c\r", 19), 19);
	CHECK(get(slave, buf, sizeof(buf)) == 3 && !strcmp(buf, "ac\n"));
	/* echo, with the erasing */
	CHECK(comes(master, "wrongx" RUBOUT RUBOUT RUBOUT RUBOUT RUBOUT RUBOUT "right" RUBOUT RUBOUT RUBOUT RUBOUT RUBOUT "ab" RUBOUT "c\r\n"));
	set_flags(0, ECHO);
	CHECK_EQ(write(master, "part", 4), 4);
	CHECK(quiet(slave));
	CHECK_OK(ioctl(slave, FIONREAD, &n));
	CHECK_EQ(n, 0);
	CHECK_EQ(write(master, " two\nnext\n", 10), 10);
	CHECK_EQ(read(slave, buf, 4), 4);
	CHECK_EQ(read(slave, buf, sizeof(buf)), 5); /* the rest of the line, and no more */
	CHECK_EQ(read(slave, buf, sizeof(buf)), 5);
	CHECK_EQ(write(master, "\004", 1), 1);
	CHECK_EQ(get(slave, buf, sizeof(buf)), 0); /* end of file, once */
	CHECK_EQ(write(master, "ab\004cd\n", 6), 6);
	CHECK(get(slave, buf, sizeof(buf)) == 2 && !strcmp(buf, "ab"));
	CHECK(get(slave, buf, sizeof(buf)) == 3 && !strcmp(buf, "cd\n"));
	CHECK_EQ(write(master, "\026\003\n", 3), 3); /* ^V makes ^C a character */
	CHECK(get(slave, buf, sizeof(buf)) == 2 && buf[0] == 3);
	CHECK(quiet(master));
	close_pair();
}

static void echo(void)
{
	REQUIRE(open_pair());
	CHECK_EQ(write(master, "a\001\t", 3), 3);
	CHECK(comes(master, "a^A\t"));
	CHECK_EQ(write(master, "\r", 1), 1);
	CHECK(comes(master, "\r\n"));
	CHECK_EQ(write(slave, "x\ny", 3), 3);
	CHECK(comes(master, "x\r\ny"));
	CHECK(quiet(master));
	close_pair();
}

/* What the master writes reaches the slave's side by a work queue on Linux: waits until n bytes are there. */
static bool arrived(int fd, int n)
{
	int have = -1;

	for (int i = 0; i < 20000 && !ioctl(fd, FIONREAD, &have) && have != n; i++)
		usleep(1000);
	return have == n;
}

/* The same for ^S and ^Q: waits until the slave can be written to, or not. */
static bool writable_is(int fd, int want)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	for (int i = 0; i < 20000; i++, usleep(1000))
		if (poll(&p, 1, 0) == want)
			return true;
	return false;
}

static void raw(void)
{
	struct termios t;
	char buf[64];

	REQUIRE(open_pair());
	CHECK_OK(tcgetattr(slave, &t));
	cfmakeraw(&t);
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	CHECK_EQ(write(master, "a\003\r\004", 4), 4);
	CHECK(arrived(slave, 4));
	CHECK(get(slave, buf, sizeof(buf)) == 4 && !memcmp(buf, "a\003\r\004", 4));
	t.c_cc[VMIN] = 3;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	CHECK_EQ(write(master, "ab", 2), 2);
	CHECK(quiet(slave));
	CHECK_EQ(write(master, "c", 1), 1);
	CHECK_EQ(read(slave, buf, 8), 3);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 1;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	CHECK_EQ(read(slave, buf, 8), 0);
	CHECK_EQ(write(slave, "x\n", 2), 2);
	CHECK(comes(master, "x\n"));
	CHECK_EQ(write(master, "gone", 4), 4);
	CHECK(arrived(slave, 4));
	CHECK_OK(tcflush(slave, TCIFLUSH));
	CHECK_EQ(read(slave, buf, 8), 0);
	close_pair();
}

static void packet_mode(void)
{
	char buf[64];
	int on = 1;

	REQUIRE(open_pair());
	CHECK_OK(ioctl(master, TIOCPKT, &on));
	CHECK_EQ(write(slave, "hi", 2), 2);
	CHECK(get(master, buf, sizeof(buf)) == 3 && !memcmp(buf, "\0hi", 3));
	CHECK_OK(tcflush(slave, TCIFLUSH));
	CHECK(get(master, buf, sizeof(buf)) == 1 && buf[0] == TIOCPKT_FLUSHREAD);
	CHECK_OK(tcflow(slave, TCOOFF));
	CHECK(get(master, buf, sizeof(buf)) == 1 && buf[0] == TIOCPKT_STOP);
	CHECK_OK(tcflow(slave, TCOON));
	CHECK(get(master, buf, sizeof(buf)) == 1 && buf[0] == TIOCPKT_START);
	close_pair();
}

static void closing(void)
{
	struct pollfd p;
	char buf[8];

	REQUIRE(open_pair());
	CHECK_EQ(write(slave, "last", 4), 4);
	close(slave);
	p = (struct pollfd){.fd = master, .events = POLLIN | POLLOUT};
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN | POLLOUT | POLLHUP);
	CHECK_EQ(get(master, buf, sizeof(buf)), 4);
	CHECK_ERRNO(read(master, buf, 1), EIO);
	close(master);

	REQUIRE(open_pair());
	close(master);
	p = (struct pollfd){.fd = slave, .events = POLLIN | POLLOUT};
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN | POLLOUT | POLLHUP | POLLERR);
	CHECK_EQ(read(slave, buf, 1), 0);
	CHECK_ERRNO(write(slave, "x", 1), EIO);
	close(slave);
}

static volatile int caught[65];

static void on_signal(int s)
{
	caught[s]++;
}

/* Linux works off what was typed in the background. */
static bool caught_within(int s, int n)
{
	for (int i = 0; i < 20000 && caught[s] < n; i++)
		usleep(1000);
	return caught[s] == n;
}

static void type_signal(char c, int s, const char *shown)
{
	CHECK_EQ(write(master, &c, 1), 1);
	CHECK(caught_within(s, 1));
	CHECK(comes(master, shown));
}

/* A session of its own on the terminal. */
static void controlled(void)
{
	struct winsize ws = {24, 80, 0, 0};
	char buf[64];
	int fd, value;

	REQUIRE(open_pair());
	CHECK_ERRNO(ioctl(slave, TIOCGSID, &value), ENOTTY);
	CHECK(setsid() > 0);
	CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
	CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
	fd = open("/dev/tty", O_RDWR);
	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(tcgetsid(slave), getpid());
	CHECK_EQ(tcgetpgrp(slave), getpid());
	CHECK_EQ(tcgetpgrp(master), getpid());
	for (int s = 1; s < 32; s++)
		if (s == SIGINT || s == SIGQUIT || s == SIGTSTP || s == SIGWINCH || s == SIGHUP || s == SIGTTOU || s == SIGTTIN)
			signal(s, on_signal);
	type_signal(3, SIGINT, "^C");
	type_signal(034, SIGQUIT, "^\\");
	type_signal(032, SIGTSTP, "^Z");
	CHECK_OK(ioctl(master, TIOCSWINSZ, &ws));
	CHECK_EQ(caught[SIGWINCH], 1);
	CHECK_OK(ioctl(slave, TIOCSWINSZ, &ws)); /* the same: no news */
	CHECK_EQ(caught[SIGWINCH], 1);
	memset(&ws, 0, sizeof(ws));
	CHECK_OK(ioctl(slave, TIOCGWINSZ, &ws));
	CHECK(ws.ws_row == 24 && ws.ws_col == 80);

	/* a child's group in front; this one is in the background then */
	int go[2];
	CHECK_OK(pipe(go));
	pid_t child = fork();
	if (!child) {
		setpgid(0, 0);
		signal(SIGTTOU, SIG_DFL);
		close(go[1]);
		_exit(read(go[0], buf, 1) == 0 && caught_within(SIGINT, 2) ? 0 : 1);
	}
	setpgid(child, child);
	CHECK_ERRNO(tcsetpgrp(slave, 99999), ESRCH);
	CHECK_OK(tcsetpgrp(slave, child));
	CHECK_EQ(tcgetpgrp(slave), child);
	CHECK_EQ(write(master, "\003", 1), 1);
	CHECK(comes(master, "^C"));
	CHECK_EQ(caught[SIGINT], 1);
	/* the leader's group is orphaned: no stop, but no reading either */
	CHECK_ERRNO(read(slave, buf, 1), EIO);
	signal(SIGTTOU, SIG_IGN);
	CHECK_OK(tcsetpgrp(slave, getpid()));
	close(go[1]);
	close(go[0]);
	CHECK_EQ(waitpid(child, &value, 0), child);
	CHECK_EQ(value, 0);
	close(master);
	CHECK_EQ(caught[SIGHUP], 1);
	CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
	close(slave);
}

static void controlling_terminal(void)
{
	CHECK_OK(abi_child(controlled));
}

static void flow_control(void)
{
	struct pollfd p;
	char buf[512];
	int n = 0;

	REQUIRE(open_pair());
	CHECK_EQ(write(master, "\023", 1), 1); /* ^S */
	fcntl(slave, F_SETFL, O_NONBLOCK);
	CHECK(writable_is(slave, 0));
	CHECK_ERRNO(write(slave, "x", 1), EAGAIN);
	CHECK_EQ(write(master, "\021", 1), 1); /* ^Q */
	CHECK(writable_is(slave, 1));
	CHECK_EQ(write(slave, "x", 1), 1);
	CHECK_EQ(get(master, buf, sizeof(buf)), 1);
	memset(buf, 'x', sizeof(buf));
	p = (struct pollfd){.fd = slave, .events = POLLOUT};
	/* What is handed over later makes room for more, until both sides are full. */
	for (int i = 0; i < 20000; i++, usleep(1000)) {
		while (write(slave, buf, sizeof(buf)) > 0)
			n++;
		CHECK_EQ(errno, EAGAIN);
		if (poll(&p, 1, 0) == 0)
			break;
	}
	CHECK(n >= 4);
	CHECK_EQ(poll(&p, 1, 0), 0);
	while (!quiet(master))
		if (get(master, buf, sizeof(buf)) <= 0)
			break;
	CHECK_EQ(poll(&p, 1, 20000), 1);
	close_pair();
}

/* What somebody in a user namespace of his own mounts there does not change how others' terminals are made. */
static void mount_elsewhere(void)
{
	REQUIRE(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
	CHECK_EQ(mount("devpts", "/dev/pts", "devpts", 0, "newinstance,mode=666,ptmxmode=0"), 0);
}

static void mounted_elsewhere(void)
{
	struct stat before, after, ptmx[2];

	REQUIRE(open_pair() && fstat(slave, &before) == 0 && stat("/dev/pts/ptmx", &ptmx[0]) == 0);
	close_pair();
	CHECK_EQ(abi_child(mount_elsewhere), 0);
	REQUIRE(open_pair() && fstat(slave, &after) == 0 && stat("/dev/pts/ptmx", &ptmx[1]) == 0);
	CHECK_EQ(after.st_mode, before.st_mode);
	CHECK_EQ(ptmx[1].st_mode, ptmx[0].st_mode);
	close_pair();
}

ABI_MAIN(ABI_TEST(names), ABI_TEST(canonical), ABI_TEST(echo), ABI_TEST(raw), ABI_TEST(packet_mode), ABI_TEST(closing),
         ABI_TEST(controlling_terminal), ABI_TEST(flow_control), ABI_TEST(mounted_elsewhere))
