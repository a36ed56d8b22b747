/* HTTP/1 is the only wire so far. */
#include "server/wires.h"

struct wire *wires_open(struct wires *wires, struct proactor *proactor, uint64_t unsent_length_max,
	const struct router *router, const struct section *configuration)
{
	const struct section *limits = section_child(configuration, "limits", 0);
	const struct section *timeouts = section_child(configuration, "timeouts", 0);
	struct http1_options options = {
		.header_bytes = section_number(limits, "header_bytes"),
		.body_bytes = section_number(limits, "body_bytes"),
		.keep_alive_requests = section_number(limits, "keep_alive_requests"),
		.header_timeout_ns = section_number(timeouts, "header"),
		.body_timeout_ns = section_number(timeouts, "body"),
		.idle_timeout_ns = section_number(timeouts, "idle"),
		.send_timeout_ns = section_number(timeouts, "send"),
		.keep_alive = section_yes(configuration, "keep_alive"),
		.server_field = section_yes(configuration, "server"),
	};

	stream_service_open(&wires->streams, proactor, unsent_length_max);
	http1_service_open(&wires->http1, &wires->streams, router, &options);
	return &wires->http1.wire;
}
