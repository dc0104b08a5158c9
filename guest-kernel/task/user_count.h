/* SPDX-License-Identifier: Apache-2.0 */
/* What a user may have of things that only memory would limit else: counts by uid (of the initial user namespace). */
#ifndef TASK_USER_COUNT_H
#define TASK_USER_COUNT_H

#include "lib/types.h"

enum user_count {
	USER_FILES_IN_FLIGHT,   /* in messages of AF_UNIX sockets that nobody has received; by who sent them */
	USER_INOTIFY_INSTANCES, /* by who made them */
	USER_INOTIFY_WATCHES,   /* by whose instance it is */
	USER_COUNTS
};

/* n more, unless the user has `limit` or more already: 0, -EDQUOT or -ENOMEM. Does not sleep. */
int user_count_add(uint32_t uid, enum user_count what, uint32_t n, uint64_t limit) MUST_CHECK;
void user_count_sub(uint32_t uid, enum user_count what, uint32_t n);

#endif
