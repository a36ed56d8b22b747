/* Privileges are dropped in the order groups, group, user: without the user's privileges the groups
 * could not be changed.  The result is verified, because a call without effect would leave a worker
 * that runs as root unnoticed. */
#include "server/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"

int user_find(struct user *user, const char *name)
{
	const struct passwd *entry;

	*user = (struct user){ .wanted = false };
	if (name[0] == '\0')
		return 0;
	errno = 0;
	entry = getpwnam(name);
	if (!entry)
		return fail(errno != 0 ? -errno : -ENOENT, "unknown user \"%s\"", name);
	if (geteuid() != 0 && geteuid() != entry->pw_uid)
		return fail(-EPERM, "only root can become user \"%s\"", name);
	user->wanted = geteuid() == 0;
	user->uid = entry->pw_uid;
	user->gid = entry->pw_gid;
	snprintf(user->name, sizeof(user->name), "%s", name);
	return 0;
}

static bool has_become(const struct user *user)
{
	uid_t real, effective, saved;
	gid_t real_group, effective_group, saved_group;

	if (getresuid(&real, &effective, &saved) < 0 ||
		getresgid(&real_group, &effective_group, &saved_group) < 0)
		return false;
	if (real != user->uid || effective != user->uid || saved != user->uid)
		return false;
	if (real_group != user->gid || effective_group != user->gid || saved_group != user->gid)
		return false;
	return user->uid == 0 || setuid(0) < 0;
}

int user_become(const struct user *user)
{
	if (!user->wanted)
		return 0;
	if (initgroups(user->name, user->gid) < 0 ||
		setresgid(user->gid, user->gid, user->gid) < 0 ||
		setresuid(user->uid, user->uid, user->uid) < 0)
		return fail(-errno, "cannot become user \"%s\"", user->name);
	if (!has_become(user))
		return fail(
			-EPERM, "the process can still change back from user \"%s\"", user->name);
	return 0;
}

int forbid_new_privileges(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(-errno, "cannot set no_new_privs");
	return 0;
}

int die_with_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return fail(-errno, "cannot set the parent death signal");
	/* If the parent died before the call, no signal will come. */
	return getppid() == parent ? 0 : -ESRCH;
}
