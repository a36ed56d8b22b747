/* A configuration: refused with complaints, or loaded as something whose print loads as the same.
 */
#include "fuzz.h"

#include <stdio.h>

#include "base/owned.h"
#include "server/configuration_load.h"

/* The error messages about thousands of broken files are not interesting. The descriptor stays open
 * for the fuzzer's own messages. */
static void silence(void)
{
	static FILE *null;

	if (null)
		return;
	null = fopen("/dev/null", "we");
	assert(null);
	stderr = null;
}

static char *print_and_free(struct configuration *configuration, size_t *length)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, length);

	assert(file);
	configuration_print(configuration, file);
	assert(fclose(file) == 0);
	configuration_free(configuration);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct configuration *configuration;
	size_t first_length, second_length;

	silence();
	if (configuration_load_text(&configuration, "fuzz", "/", (const char *)bytes, length) < 0)
		return 0;
	auto_free char *first = print_and_free(configuration, &first_length);
	assert(configuration_load_text(&configuration, "fuzz", "/", first, first_length) == 0);
	auto_free char *second = print_and_free(configuration, &second_length);
	assert(first_length == second_length && memcmp(first, second, first_length) == 0);
	return 0;
}
