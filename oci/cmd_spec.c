/* SPDX-License-Identifier: Apache-2.0 */
/* runsc spec: write a config.json to start from. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/command.h"
#include "oci/spec.h"
#include "oci/util.h"

static struct {
	const char *bundle, *cwd;
	bool fields, rootless;
} values = {.bundle = ".", .cwd = "/"};

#define OFF(field) __builtin_offsetof(__typeof__(values), field)

static const struct flag flags[] = {
    {"bundle", 'b', FLAG_STRING, OFF(bundle), "DIR", "where to write config.json (default: the current directory)"},
    {"cwd", 0, FLAG_STRING, OFF(cwd), "DIR", "working directory of the process (default /)"},
    {"rootless", 0, FLAG_BOOL, OFF(rootless), NULL, "for a user who is not root: a user namespace with the user as its root"},
    {"fields", 0, FLAG_BOOL, OFF(fields), NULL, "print which fields runsc handles, as a table in Markdown, instead"},
    {0},
};

static cJSON *id_map(unsigned id)
{
	cJSON *a = cJSON_CreateArray(), *o = cJSON_CreateObject();

	cJSON_AddNumberToObject(o, "containerID", 0);
	cJSON_AddNumberToObject(o, "hostID", id);
	cJSON_AddNumberToObject(o, "size", 1);
	cJSON_AddItemToArray(a, o);
	return a;
}

/* As runc's: no network namespace, which an ordinary user could not connect to anything. */
static void make_rootless(cJSON *spec)
{
	cJSON *linux_obj = cJSON_GetObjectItemCaseSensitive(spec, "linux");
	cJSON *list = cJSON_GetObjectItemCaseSensitive(linux_obj, "namespaces"), *user = cJSON_CreateObject();

	for (int i = cJSON_GetArraySize(list) - 1; i >= 0; i--)
		if (strcmp(cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(list, i), "type")->valuestring, "network") == 0)
			cJSON_DeleteItemFromArray(list, i);
	cJSON_AddStringToObject(user, "type", "user");
	cJSON_AddItemToArray(list, user);
	cJSON_AddItemToObject(linux_obj, "uidMappings", id_map(geteuid()));
	cJSON_AddItemToObject(linux_obj, "gidMappings", id_map(getegid()));
}

static struct error *fill_in(cJSON *spec, int argc, char **argv)
{
	cJSON *process = cJSON_GetObjectItemCaseSensitive(spec, "process");
	cJSON *args;

	if (values.rootless)
		make_rootless(spec);
	if (values.cwd[0] != '/')
		return error_new("spec: --cwd: \"%s\" is not an absolute path", values.cwd);
	cJSON_ReplaceItemInObjectCaseSensitive(process, "cwd", cJSON_CreateString(values.cwd));
	if (!argc)
		return NULL;
	args = cJSON_CreateStringArray((const char *const *)argv, argc);
	cJSON_ReplaceItemInObjectCaseSensitive(process, "args", args);
	return NULL;
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	char *path = xasprintf("%s/config.json", values.bundle);
	cJSON *spec = cJSON_Parse(spec_template);
	struct error *e = fill_in(spec, argc, argv);
	AUTO_FD fd = -1;
	char *text;
	int err;

	if (values.fields) {
		spec_print_fields();
		return NULL;
	}
	if (e)
		return e;
	text = cJSON_Print(spec);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST)
		return error_new("spec: %s exists already; remove it first", path);
	if (fd < 0)
		return error_errno(errno, "spec: cannot make %s", path);
	err = write_all(fd, text, strlen(text));
	if (!err)
		err = write_all(fd, "\n", 1);
	return err ? error_errno(err, "spec: cannot write %s", path) : NULL;
}

const struct command cmd_spec = {
    .name = "spec", .args = "[-- COMMAND [ARGUMENT...]]", .summary = "write a config.json to start from", .flags = flags,
    .values = &values, .min_args = 0, .max_args = -1, .run = run,
};

#define CAPS "[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]"

const char spec_template[] =
    "{\"ociVersion\":\"1.0.2\","
    "\"process\":{\"terminal\":true,\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"sh\"],"
    "\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\"TERM=xterm\"],\"cwd\":\"/\","
    "\"capabilities\":{\"bounding\":" CAPS ",\"effective\":" CAPS ",\"permitted\":" CAPS "},"
    "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}],\"noNewPrivileges\":true},"
    "\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"runsc\","
    "\"mounts\":["
    "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
    "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"strictatime\",\"mode=755\","
    "\"size=65536k\"]},"
    "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":[\"nosuid\",\"noexec\","
    "\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},"
    "{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":[\"nosuid\",\"noexec\",\"nodev\","
    "\"mode=1777\",\"size=65536k\"]},"
    "{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\",\"options\":[\"nosuid\",\"noexec\","
    "\"nodev\"]},"
    "{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]}],"
    "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},"
    "{\"type\":\"mount\"}]}}";
