/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host terminal that the container was started on. The Sentry makes it raw and puts it back; here its settings are
 * kept for a sandbox that ends in any other way.
 */
#ifndef VMM_TERMINAL_H
#define VMM_TERMINAL_H

/* Remembers the settings of the terminal fd, whose io number is given; before each change of them. */
void terminal_save(int fd, unsigned io);
/* Puts back what the first terminal_save found. Async-signal-safe, any number of times. */
void terminal_restore(void);
/* Makes SIGWINCH known to the Sentry (EV_IO with EPOLLPRI). fd is made the controlling terminal if it can be, so that
 * the kernel sends the signal; else whoever started the sandbox does. */
int terminal_init(int fd);
/* In the event loop: tells the Sentry if the window has changed. */
void terminal_poll_resized(void);

#endif
