/* Looking into a request.  Fields stay an array in the order received: requests have few of them,
 * and a search through an array of a dozen is cheaper than building anything better. */
#include "http/request.h"

void request_init(struct request *request)
{
	request->method = METHOD_UNKNOWN;
	request->version = HTTP_1_1;
	request->line = (struct text){ 0 };
	request->target = (struct text){ 0 };
	request->query = (struct text){ 0 };
	request->host = (struct text){ 0 };
	request->path = (struct text){ 0 };
	request->content_length = 0;
	request->expects_continue = false;
	request->field_count = 0;
}

const struct field *request_field_after(
	const struct request *request, struct text name, const struct field *previous)
{
	const struct field *end = request->fields + request->field_count;

	for (const struct field *field = previous ? previous + 1 : request->fields; field < end;
		field++) {
		if (field->name.length == name.length &&
			text_equal_ignoring_case(field->name, name))
			return field;
	}
	return NULL;
}

struct text request_query_part(const struct request *request)
{
	return text_from(request->target, text_find(request->target, '?'));
}

const struct field *request_field(const struct request *request, struct text name)
{
	return request_field_after(request, name, NULL);
}

struct text request_parameter(const struct request *request, struct text name)
{
	struct text rest = request->query;

	while (rest.length > 0) {
		struct text parameter = text_first(rest, text_find(rest, '&'));
		size_t name_length = text_find(parameter, '=');

		if (text_equal(text_first(parameter, name_length), name))
			return text_from(parameter, name_length + 1);
		rest = text_from(rest, parameter.length + 1);
	}
	return (struct text){ NULL, 0 };
}
