/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.seccomp: the application's filter. libseccomp makes a BPF program of it here; the Sentry runs that program, so the
 * filter sees the application's system calls and not the sandbox's own.
 *
 * As with runc, names that are no system calls are passed over, and calls that are newer than any the profile knows fail
 * with ENOSYS instead of the default error, so that libraries fall back to what the profile's author knew.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/spec.h"
#include "oci/util.h"

#define ARGS_MAX 6

struct profile {
	struct json *j;
	scmp_filter_ctx ctx;
	uint32_t default_action;
	int highest; /* system call that it names, or -1 */
};

/* libseccomp refuses rules that say what the default says. */
static bool action_of(struct json *j, const char *field, const char *name, const cJSON *errno_ret, uint32_t *out)
{
	static const struct {
		const char *name;
		uint32_t action;
	} actions[] = {
	    {"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},        {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
	    {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS}, {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
	    {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},             {"SCMP_ACT_LOG", SCMP_ACT_LOG},
	};
	unsigned number = errno_ret ? errno_ret->valueint : EPERM;

	if (strcmp(name, "SCMP_ACT_ERRNO") == 0 || strcmp(name, "SCMP_ACT_TRACE") == 0) {
		*out = name[9] == 'E' ? SCMP_ACT_ERRNO(number) : SCMP_ACT_TRACE(number);
		return true;
	}
	if (strcmp(name, "SCMP_ACT_NOTIFY") == 0) {
		json_fail(j, field, "SCMP_ACT_NOTIFY is not supported: the sandbox has no notifications");
		return false;
	}
	for (unsigned i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].name, name) == 0) {
			*out = actions[i].action;
			return true;
		}
	json_fail(j, field, "\"%s\" is not an action", name);
	return false;
}

static bool parse_arg(struct json *j, const char *rule, unsigned i, const cJSON *item, struct scmp_arg_cmp *out)
{
	static const struct {
		const char *name;
		enum scmp_compare op;
	} ops[] = {
	    {"SCMP_CMP_NE", SCMP_CMP_NE}, {"SCMP_CMP_LT", SCMP_CMP_LT}, {"SCMP_CMP_LE", SCMP_CMP_LE},
	    {"SCMP_CMP_EQ", SCMP_CMP_EQ}, {"SCMP_CMP_GE", SCMP_CMP_GE}, {"SCMP_CMP_GT", SCMP_CMP_GT},
	    {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
	};
	char *index = xasprintf("%s.args[%u].index", rule, i), *value = xasprintf("%s.args[%u].value", rule, i);
	char *two = xasprintf("%s.args[%u].valueTwo", rule, i), *op_field = xasprintf("%s.args[%u].op", rule, i);
	const char *op = json_string(j, item, op_field, true);
	bool known = false;

	out->arg = json_int(j, item, index, 0, 0, ARGS_MAX - 1);
	out->datum_a = json_u64(j, item, value, true);
	out->datum_b = json_get(j, item, "valueTwo") ? json_u64(j, item, two, true) : 0;
	for (unsigned k = 0; op && k < sizeof(ops) / sizeof(ops[0]); k++)
		if (strcmp(ops[k].name, op) == 0) {
			out->op = ops[k].op;
			known = true;
		}
	if (op && !known)
		json_fail(j, op_field, "\"%s\" is not a comparison", op);
	free(index);
	free(value);
	free(two);
	free(op_field);
	return known && !j->err;
}

/* Comparisons of one argument are alternatives, those of several hold together. */
static int add_call(struct profile *p, int nr, uint32_t action, const struct scmp_arg_cmp *args, unsigned n)
{
	unsigned seen = 0;
	int err = 0;

	for (unsigned i = 0; i < n; i++) {
		if (seen & 1u << args[i].arg) {
			for (unsigned k = 0; k < n && !err; k++)
				err = seccomp_rule_add_array(p->ctx, action, nr, 1, &args[k]);
			return err;
		}
		seen |= 1u << args[i].arg;
	}
	return seccomp_rule_add_array(p->ctx, action, nr, n, args);
}

static void add_rule(struct profile *p, unsigned number, const cJSON *rule)
{
	struct json *j = p->j;
	char *name = xasprintf("linux.seccomp.syscalls[%u]", number);
	char *names_field = xasprintf("%s.names", name), *action_field = xasprintf("%s.action", name);
	char *args_field = xasprintf("%s.args", name), *errno_field = xasprintf("%s.errnoRet", name);
	char **names = json_strings(j, rule, names_field, true, NULL);
	const char *action_name = json_string(j, rule, action_field, true);
	const cJSON *list = json_array(j, rule, args_field, false), *item;
	struct scmp_arg_cmp args[16];
	unsigned n = 0;
	uint32_t action;

	(void)json_int(j, rule, errno_field, 0, 0, 4095);
	cJSON_ArrayForEach(item, list)
		if (n == sizeof(args) / sizeof(args[0]))
			json_fail(j, args_field, "has too many entries");
		else if (parse_arg(j, name, n, item, &args[n]))
			n++;
	if (!j->err && action_of(j, action_field, action_name, json_get(j, rule, "errnoRet"), &action)) {
		for (char **s = names; *s && !j->err; s++) {
			int nr = seccomp_syscall_resolve_name(*s), err;

			if (nr < 0) {
				log_debug("%s: %s: \"%s\" is no system call here", j->file, name, *s);
				continue;
			}
			p->highest = nr > p->highest ? nr : p->highest;
			err = action == p->default_action ? 0 : add_call(p, nr, action, args, n);
			if (err)
				json_fail(j, name, "%s: %s", *s, strerror(-err));
		}
	}
	free(name);
	free(names_field);
	free(action_field);
	free(args_field);
	free(errno_field);
}

/* Newer calls than the profile's fail with ENOSYS: four instructions ahead of the others. */
static unsigned put_newer(const struct profile *p, struct sock_filter *out)
{
	const struct sock_filter head[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, p->highest, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};

	if (p->default_action == SCMP_ACT_ALLOW || p->default_action == SCMP_ACT_LOG ||
	    p->default_action == SCMP_ACT_ERRNO(ENOSYS) || p->highest < 0)
		return 0;
	memcpy(out, head, sizeof(head));
	return sizeof(head) / sizeof(head[0]);
}

static void export(struct profile *p, struct spec *s)
{
	AUTO_FD fd = memfd_create("seccomp", MFD_CLOEXEC);
	int err = fd < 0 ? -errno : seccomp_export_bpf(p->ctx, fd);
	struct sock_filter *code;
	struct stat st;
	unsigned n;

	if (err || fstat(fd, &st) < 0) {
		json_fail(p->j, "linux.seccomp", "cannot be compiled: %s", strerror(err ? -err : errno));
		return;
	}
	code = xcalloc(1, st.st_size + 4 * sizeof(*code));
	n = put_newer(p, code);
	if (pread(fd, code + n, st.st_size, 0) != st.st_size)
		json_fail(p->j, "linux.seccomp", "cannot be read back");
	n += st.st_size / sizeof(*code);
	if (n > BPF_MAXINSNS)
		json_fail(p->j, "linux.seccomp", "is too long: %u instructions, %d are allowed", n, BPF_MAXINSNS);
	s->seccomp = code;
	s->seccomp_len = n * sizeof(*code);
}

static void parse_flags(struct json *j, const cJSON *obj, struct spec *s)
{
	static const char *const nothing[] = {"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
	                                      "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
	char **flags = json_strings(j, obj, "linux.seccomp.flags", false, NULL);

	for (char **f = flags; *f; f++) {
		bool known = strcmp(*f, "SECCOMP_FILTER_FLAG_LOG") == 0;

		s->seccomp_log |= known;
		for (unsigned i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++)
			known |= strcmp(*f, nothing[i]) == 0;
		if (!known)
			json_fail(j, "linux.seccomp.flags", "\"%s\" is not known", *f);
	}
}

void spec_parse_seccomp(struct json *j, const cJSON *obj, struct spec *s)
{
	const char *dflt = json_string(j, obj, "linux.seccomp.defaultAction", obj != NULL);
	const char *listener = json_string(j, obj, "linux.seccomp.listenerPath", false);
	const cJSON *rules = json_array(j, obj, "linux.seccomp.syscalls", false), *rule;
	struct profile p = {.j = j, .highest = -1};
	unsigned i = 0;

	if (!obj)
		return;
	(void)json_int(j, obj, "linux.seccomp.defaultErrnoRet", 0, 0, 4095);
	parse_flags(j, obj, s);
	if (listener && *listener)
		json_fail(j, "linux.seccomp.listenerPath", "notifications are not supported");
	if (j->err || !action_of(j, "linux.seccomp.defaultAction", dflt, json_get(j, obj, "defaultErrnoRet"), &p.default_action))
		return;
	spec_tell_fields(j, "linux.seccomp", obj);
	p.ctx = seccomp_init(p.default_action);
	if (!p.ctx) {
		json_fail(j, "linux.seccomp", "cannot be compiled");
		return;
	}
	/* A search instead of a chain: the Sentry interprets it at each system call. */
	seccomp_attr_set(p.ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	cJSON_ArrayForEach(rule, rules)
		add_rule(&p, i++, rule);
	if (!j->err)
		export(&p, s);
	seccomp_release(p.ctx);
}
