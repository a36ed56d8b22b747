/* What `-t` checks besides the file itself: whether a start on this machine would succeed.
 *
 * The supervisor's part (logs, pid file, sockets) is checked as who calls; the workers' part
 * (roots, stores) in a child that has become their user, because root may enter every directory.
 * The checks leave nothing behind: a directory is tried with a file that has no name. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/owned.h"
#include "net/listener.h"
#include "server/certificates.h"
#include "server/configuration_load.h"
#include "server/listening.h"
#include "server/privileges.h"

#define complain (void)configuration_complain

/* 0, or why no file can be made in the directory.  Where files without a name are not known, its
 * permission must do; but the kernel's own file systems take no files at all. */
static int try_directory(const char *path)
{
	auto_fd fd = open(path, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	if (fd >= 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != EISDIR)
		return -errno;
	if (strcmp(path, "/proc") == 0 || strncmp(path, "/proc/", 6) == 0)
		return -EOPNOTSUPP;
	return faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

static int try_parent(const char *path)
{
	auto_free char *parent = strdup(path);

	return parent ? try_directory(dirname(parent)) : -ENOMEM;
}

/* A regular file must be writable, and one that is missing must be possible. */
static void try_file(const struct section *root, const char *name)
{
	const struct setting_value *value = section_find_value(root, name);
	const char *path = value->strings[0];
	int r;

	if (value->number != 0 || value->place.line == 0)
		return;
	r = faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0 ? -errno : 0;
	if (r == -ENOENT)
		r = try_parent(path);
	if (r < 0)
		complain(value->places[0],
			"%s = %s: %s, expected a file that can be written, in an existing "
			"directory",
			name, path, strerror(-r));
}

/* An address in use is no mistake: the server may be running.  Nor is a machine without IPv6. */
static void try_listen(const struct section *listen)
{
	struct address addresses[ADDRESSES_MAX];
	size_t count = configuration_addresses(addresses, listen);

	for (size_t i = 0; i < count; i++) {
		const struct sockaddr_un *un = (const struct sockaddr_un *)&addresses[i].storage;
		int r = listener_check(&addresses[i]);

		if (r == 0 && un->sun_family == AF_UNIX)
			r = try_parent(un->sun_path);
		if (r < 0 && r != -EADDRINUSE && !listening_lacks_ipv6(&addresses[i], r))
			complain(listen->titles->places[0],
				"listen \"%s\": %s, expected an address of this machine that may "
				"be listened on",
				listen->title,
				r == -EEXIST ? "the file exists and is not a socket"
					     : strerror(-r));
	}
}

/* --- as the workers' user ------------------------------------------------------------------- */

static void try_value(const struct setting_value *value)
{
	const char *path = value->strings[0];
	bool made = value->setting->made;
	int r = 0;

	if (made) {
		r = try_directory(path);
		if (r == -ENOENT)
			r = try_parent(path);
	} else {
		auto_fd fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0 || faccessat(fd, ".", X_OK, AT_EACCESS) < 0)
			r = -errno;
	}
	if (r < 0)
		complain(value->places[0], "%s = %s: %s, expected a directory that workers may %s",
			value->setting->name, path, strerror(-r), made ? "write to" : "enter");
}

static void try_section(const struct section *section)
{
	list_for_each (node, &section->values) {
		const struct setting_value *value = container_of(node, struct setting_value, node);

		if (value->setting->type == SETTING_DIRECTORY)
			try_value(value);
	}
	list_for_each (node, &section->children)
		try_section(container_of(node, struct section, node));
}

static int try_as_worker(const struct section *root, const struct user *user)
{
	const struct loading *loading = root->place.source->loading;
	int status = 0;
	pid_t child;

	if (!user->wanted) {
		try_section(root);
		return 0;
	}
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		if (user_become(user) < 0)
			_exit(EXIT_FAILURE);
		try_section(root);
		_exit(loading->mistake_count > 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	waitpid(child, &status, 0);
	return status == 0 ? 0 : -EINVAL;
}

static bool try_user(const struct setting_value *value, struct user *user)
{
	const char *name = value->strings[0];
	const struct passwd *entry = getpwnam(name);

	if (name[0] != '\0' && !entry)
		complain(value->places[0],
			"user = %s: no such user, expected a user of this machine", name);
	else if (entry && geteuid() != 0 && geteuid() != entry->pw_uid)
		complain(value->places[0],
			"user = %s: only root can become another user, expected a start as root",
			name);
	else
		return user_find(user, name) == 0;
	return false;
}

int configuration_rehearse(const struct configuration *configuration)
{
	const struct section *root = configuration->root, *listen;
	struct user user = { .wanted = false };
	struct certificates certificates;
	int r = 0;

	try_file(root, "error_log");
	try_file(root, "access_log");
	try_file(root, "pid_file");
	for (size_t i = 0; (listen = section_child(root, "listen", i)); i++)
		try_listen(listen);
	if (try_user(section_find_value(root, "user"), &user))
		r = try_as_worker(root, &user);
	if (certificates_read(&certificates, root) == 0)
		certificates_free(&certificates);
	else
		r = -EINVAL;
	return configuration->loading->mistake_count > 0 ? -EINVAL : r;
}
