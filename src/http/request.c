/* Looking into a request.  Fields stay an array in the order received: requests have few of them,
 * and a search through an array of a dozen is cheaper than building anything better. */
#include "http/request.h"

const struct field *request_field(const struct request *request, struct text name)
{
	for (unsigned i = 0; i < request->field_count; i++) {
		if (text_equal_ignoring_case(request->fields[i].name, name))
			return &request->fields[i];
	}
	return NULL;
}
