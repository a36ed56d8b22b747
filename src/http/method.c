/* Methods: their names in the order of the enum, which is also the order in Allow. */
#include "http/method.h"

#include <assert.h>

static const struct text NAMES[METHOD_COUNT] = {
	[METHOD_GET] = TEXT("GET"),
	[METHOD_HEAD] = TEXT("HEAD"),
	[METHOD_POST] = TEXT("POST"),
	[METHOD_PUT] = TEXT("PUT"),
	[METHOD_DELETE] = TEXT("DELETE"),
	[METHOD_PATCH] = TEXT("PATCH"),
	[METHOD_OPTIONS] = TEXT("OPTIONS"),
	[METHOD_CONNECT] = TEXT("CONNECT"),
	[METHOD_TRACE] = TEXT("TRACE"),
};

enum method method_of(struct text name)
{
	unsigned method = 0;

	while (method < METHOD_COUNT && !text_equal(name, NAMES[method]))
		method++;
	return (enum method)method;
}

struct text method_name(enum method method)
{
	assert(method < METHOD_COUNT);
	return NAMES[method];
}

void method_append_allow(struct buffer *buffer, unsigned methods)
{
	const char *separator = "";

	for (unsigned method = 0; method < METHOD_COUNT; method++) {
		if (!(methods & METHOD_BIT(method)))
			continue;
		buffer_append_string(buffer, separator);
		buffer_append(buffer, NAMES[method]);
		separator = ", ";
	}
}
