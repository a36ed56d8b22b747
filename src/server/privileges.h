/* Dropping privileges: changing the user, and the other restrictions of a worker. */
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

/* Looks up the setting `user` ("": no change).  0, or a negative errno that was logged: the user
 * does not exist, or this process may not change its user. */
int user_find(struct user *user, const char *name);

/* Changes to the user and its groups permanently, and verifies that it cannot be undone.  0 or a
 * negative errno that was logged. */
int user_become(const struct user *user);

/* Sets no_new_privs: set-user-ID programs started from here gain no privileges. */
int forbid_new_privileges(void);

/* The kernel kills the calling process when its parent dies.  -ESRCH: the parent has died already.
 */
int die_with_parent(pid_t parent);

#endif
