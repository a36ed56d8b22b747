/* Becoming another user, and what a worker gives up besides. */
#ifndef RINGLET_SERVER_PRIVILEGES_H
#define RINGLET_SERVER_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

enum { USER_NAME_LENGTH_MAX = 64 };

struct user {
	bool wanted; /* false: no change of user */
	uid_t uid;
	gid_t gid;
	char name[USER_NAME_LENGTH_MAX];
};

/* Looks the setting `user` up ("": no change).  0, or a negative errno that was logged: nobody of
 * that name, or this process may not become somebody else. */
int user_find(struct user *user, const char *name);

/* Becomes the user for good, with its groups, and verifies that there is no way back.  0 or a
 * negative errno that was logged. */
int user_become(const struct user *user);

/* No program started from here gains privileges, set-user-ID or not. */
int forbid_new_privileges(void);

/* The calling process dies with its parent.  -ESRCH when the parent is gone already. */
int die_with_parent(pid_t parent);

#endif
