/* kill_at PID COUNT: kills a process at the COUNT-th boundary of its system calls.
 *
 * A test of what a SIGKILL leaves behind must place it exactly. This program traces all threads of
 * a process and stops each of them before and after every system call that changes a file, a socket
 * or the ring. It counts these stops over all threads together; at the COUNT-th one, the process
 * dies: at "before fsync" the data is not synced, at "after fsync" it is, but the caller does not
 * know. For the ring, io_uring_enter is visible: a loop with one op in flight enters it between the
 * end of that op and the next one.
 *
 * It prints "watching" when it sees every call from then on, and then where it killed. If it ends
 * before, the process continues untraced. */
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE };

static const struct {
	unsigned long long number;
	const char *name;
} boundaries[] = {
	{ SYS_io_uring_enter, "io_uring_enter" },
	{ SYS_openat2, "openat2" },
	{ SYS_pwrite64, "pwrite64" },
	{ SYS_fsync, "fsync" },
	{ SYS_close, "close" },
	{ SYS_renameat2, "renameat2" },
#ifdef SYS_renameat
	{ SYS_renameat, "renameat" }, /* the C library uses it for renameat2 without flags */
#endif
	{ SYS_unlinkat, "unlinkat" },
	{ SYS_sendto, "sendto" },
	{ SYS_sendmsg, "sendmsg" },
	{ SYS_writev, "writev" },
};

static pid_t process;
static unsigned long remaining;

/* The name of the call that a stopped thread enters or leaves, if that call counts. */
static const char *boundary_name(pid_t thread, bool *entering)
{
	static unsigned long long entered[1 << 16];
	struct __ptrace_syscall_info info = { 0 };
	unsigned long long *number = &entered[thread & 0xffff];

	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) <= 0)
		return NULL;
	*entering = info.op == PTRACE_SYSCALL_INFO_ENTRY;
	if (*entering)
		*number = info.entry.nr;
	for (size_t i = 0; i < sizeof(boundaries) / sizeof(boundaries[0]); i++) {
		if (boundaries[i].number == *number)
			return boundaries[i].name;
	}
	return NULL;
}

static void note_call(pid_t thread)
{
	bool entering = false;
	const char *name = boundary_name(thread, &entering);

	if (!name || --remaining > 0)
		return;
	printf("%s %s\n", entering ? "before" : "after", name);
	kill(process, SIGKILL);
	exit(EXIT_SUCCESS);
}

/* Stops of a new thread and of PTRACE_INTERRUPT have an event. Other stops that are no system call
 * are signals, which are passed on. */
static void resume(pid_t thread, int status)
{
	int number = WSTOPSIG(status);
	bool is_signal = status >> 16 == 0 && number != (SIGTRAP | 0x80);

	ptrace(PTRACE_SYSCALL, thread, NULL, is_signal ? (long)number : 0L);
}

/* Kernel workers of the ring are among the threads and cannot be traced. */
static unsigned seize_threads(void)
{
	char path[64];
	struct dirent *entry;
	unsigned count = 0;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/task", process);
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		pid_t thread = atoi(entry->d_name);

		if (thread == 0 || ptrace(PTRACE_SEIZE, thread, NULL, OPTIONS) < 0)
			continue;
		count += ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == 0;
	}
	if (directory)
		closedir(directory);
	return count;
}

/* Every thread has stopped once before counting begins, so that it is traced from then on. */
int main(int argument_count, char **arguments)
{
	unsigned unseen;
	pid_t thread;
	int status;

	if (argument_count != 3)
		return 2;
	process = atoi(arguments[1]);
	remaining = strtoul(arguments[2], NULL, 10);
	setvbuf(stdout, NULL, _IOLBF, 0);
	unseen = seize_threads();
	if (unseen == 0) {
		perror("kill_at: cannot trace the process");
		return 1;
	}
	while ((thread = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status))
			continue;
		if (unseen == 0 && WSTOPSIG(status) == (SIGTRAP | 0x80))
			note_call(thread);
		if (unseen > 0 && status >> 16 == PTRACE_EVENT_STOP && --unseen == 0)
			puts("watching");
		resume(thread, status);
	}
	return 0;
}
