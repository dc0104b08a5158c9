/* SPDX-License-Identifier: Apache-2.0 */
/* The host terminal that the container's standard input is: raw while the sandbox lives, as it was afterwards. */
#ifndef VMM_TERMINAL_H
#define VMM_TERMINAL_H

/* Raw mode, if fd is a terminal of whose foreground we are part. */
void terminal_make_raw(int fd);
/* Puts back what terminal_make_raw found. Async-signal-safe, any number of times. */
void terminal_restore(void);

#endif
