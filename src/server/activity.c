/* Reading /proc/PID: short files, which tell "0" or "running" where there is nothing to tell. */
#include "server/activity.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/owned.h"

/* Fills `memory`; empty when the file cannot be read. */
static struct text read_file(pid_t pid, const char *name, char *memory, size_t size)
{
	char path[64];
	auto_fd fd = -1;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, memory, size);
	return (struct text){ memory, length > 0 ? (size_t)length : 0 };
}

static void append_state(struct buffer *buffer, pid_t pid)
{
	static const char KEY[] = "State:\t";
	char memory[256];
	struct text status = read_file(pid, "status", memory, sizeof(memory));
	const char *state = memmem(status.bytes, status.length, KEY, sizeof(KEY) - 1);

	if (!state) {
		buffer_append_string(buffer, "gone");
		return;
	}
	status = text_from(status, (size_t)(state - status.bytes) + sizeof(KEY) - 1);
	buffer_append(buffer, text_first(status, text_find(status, '\n')));
}

void activity_append(struct buffer *buffer, pid_t pid)
{
	char memory[128];
	struct text text;

	append_state(buffer, pid);
	text = read_file(pid, "wchan", memory, sizeof(memory));
	if (text.length > 1) {
		buffer_append_string(buffer, ", in ");
		buffer_append(buffer, text);
	}
	text = read_file(pid, "syscall", memory, sizeof(memory));
	if (text.length > 0 && isdigit((unsigned char)text.bytes[0])) {
		buffer_append_string(buffer, ", system call ");
		buffer_append(buffer, text_first(text, text_find(text, ' ')));
	}
}
