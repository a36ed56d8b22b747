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

const struct field *request_field(const struct request *request, struct text name)
{
	for (unsigned i = 0; i < request->field_count; i++) {
		if (text_equal_ignoring_case(request->fields[i].name, name))
			return &request->fields[i];
	}
	return NULL;
}
