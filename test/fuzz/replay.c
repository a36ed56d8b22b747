/* Runs a fuzz target over its corpus: every file of a directory, and every prefix of each, in
 * memory that ends where the input ends, so that the sanitizers notice a read beyond it. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owned.h"
#include "fuzz.h"

enum { FILE_SIZE_MAX = 1 << 16 };

static void run_beginnings(const char *bytes, size_t length)
{
	for (size_t i = 0; i <= length; i++) {
		uint8_t *copy = malloc(i + 1);

		assert(copy);
		memcpy(copy + 1, bytes, i);
		LLVMFuzzerTestOneInput(copy + 1, i);
		free(copy);
	}
}

static void run_file(int directory_fd, const char *name)
{
	static char bytes[FILE_SIZE_MAX];
	auto_fd file = openat(directory_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t length = file < 0 ? -1 : read(file, bytes, sizeof(bytes));

	if (length < 0) {
		perror(name);
		exit(1);
	}
	run_beginnings(bytes, (size_t)length);
}

int main(int argument_count, char **arguments)
{
	DIR *directory = argument_count == 2 ? opendir(arguments[1]) : NULL;
	const struct dirent *entry;
	unsigned file_count = 0;

	if (!directory) {
		fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", arguments[0]);
		return 2;
	}
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		run_file(dirfd(directory), entry->d_name);
		file_count++;
	}
	closedir(directory);
	printf("%u inputs and their beginnings\n", file_count);
	return file_count > 0 ? 0 : 1;
}
