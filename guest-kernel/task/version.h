/* SPDX-License-Identifier: Apache-2.0 */
/* What this kernel calls itself in uname(2) and /proc/version: the Linux release whose interfaces it follows. */
#ifndef TASK_VERSION_H
#define TASK_VERSION_H

#include "lib/types.h"

#define SENTRY_RELEASE       "6.1.0-runsc"
#define SENTRY_BUILD_VERSION "#1 SMP runsc Sentry"

#endif
